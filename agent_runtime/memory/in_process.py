"""Memory without a server, for an agent whose document names none: gone with the process."""

from collections.abc import Sequence

from agent_runtime.agent.completion import Message
from agent_runtime.memory.ports import SessionKey


class NoShortTermMemory:
    """Remembers nothing: each request stands alone."""

    async def load(self, key: SessionKey) -> list[Message]:
        del key
        return []

    async def append(self, key: SessionKey, messages: Sequence[Message]) -> None:
        del key, messages

    async def delete(self, key: SessionKey) -> bool:
        del key
        return False
