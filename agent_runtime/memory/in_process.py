"""Memory without a server, for an agent whose document names none: gone with the process."""

import time
from collections.abc import Sequence

from agent_runtime.agent.completion import Message
from agent_runtime.memory.approvals import Approval
from agent_runtime.memory.ports import SessionKey


class NoShortTermMemory:
    """Remembers nothing: each request stands alone."""

    async def load(self, key: SessionKey) -> list[Message]:
        del key
        return []

    async def append(self, key: SessionKey, messages: Sequence[Message]) -> None:
        del key, messages


class InProcessApprovals:
    """Pending approvals of this process."""

    def __init__(self) -> None:
        self._pending: dict[tuple[str, str], Approval] = {}

    async def put(self, approval: Approval) -> None:
        self._pending[(approval.tenant, approval.id)] = approval

    async def pending(self, tenant: str) -> list[Approval]:
        now = time.time()
        self._pending = {key: each for key, each in self._pending.items() if each.expires > now}
        return [each for each in self._pending.values() if each.tenant == tenant]

    async def take(self, tenant: str, approval_id: str) -> Approval | None:
        await self.pending(tenant)
        return self._pending.pop((tenant, approval_id), None)
