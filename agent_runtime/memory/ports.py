"""What the runtime asks of memory, whoever keeps it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agent_runtime.agent.completion import Message
from agent_runtime.errors import RequestError


class MemoryUnavailableError(Exception):
    """The store can't be reached; nothing is known about what it holds."""


class KnowledgeRequiredError(RequestError):
    """A store is down whose tool says `onUnavailable: fail`; ends the request."""

    def __init__(self, tool: str) -> None:
        super().__init__(
            503,
            "knowledge_unavailable",
            f"the store behind tool {tool!r} is down, and this agent may not answer without it",
            retry_after_seconds=15,
        )


@dataclass(frozen=True)
class SessionKey:
    """Whose conversation it is."""

    tenant: str
    agent: str
    session: str


class ShortTermMemory(Protocol):
    """The conversation of a session. Raises MemoryUnavailableError."""

    async def load(self, key: SessionKey) -> list[Message]: ...

    async def append(self, key: SessionKey, messages: Sequence[Message]) -> None: ...

    async def delete(self, key: SessionKey) -> bool:
        """Forget the session; whether there was one."""
        ...


Metadata = Mapping[str, str | int]
"""What is known about a passage besides its text. Searches can ask for exact values of it."""


@dataclass(frozen=True)
class Passage:
    """A piece of text with its meaning, as stored."""

    id: str
    """Derived from the content, so that storing it twice changes nothing: 64 hex digits."""
    content: str
    embedding: list[float]
    tenant: str
    metadata: Metadata


@dataclass(frozen=True)
class Hit:
    """A passage that a search found; `score` is the cosine similarity."""

    id: str
    content: str
    score: float
    metadata: Metadata = field(default_factory=dict)

    @property
    def document(self) -> str:
        return str(self.metadata.get("document", ""))

    @property
    def title(self) -> str:
        return str(self.metadata.get("title", ""))

    @property
    def chunk(self) -> int:
        return int(self.metadata.get("chunk", 0))


class LongTermMemory(Protocol):
    """Passages by meaning, each tenant apart. Raises MemoryUnavailableError.

    `only` asks for exact values of metadata. No call works without a tenant (ValueError).
    """

    async def search(
        self,
        collection: str,
        vector: list[float],
        *,
        tenant: str,
        top_k: int,
        only: Metadata | None = None,
        likely: bool = False,
    ) -> list[Hit]:
        """The nearest passages, best first.

        `likely` says that nearly all passages meet `only`: the answer is the same, found faster.
        """
        ...

    async def store(self, collection: str, passages: Sequence[Passage]) -> int:
        """Write passages, over those of the same id; the number written."""
        ...

    async def known(self, collection: str, ids: Sequence[str], *, tenant: str) -> set[str]:
        """Those of `ids` that are stored."""
        ...

    async def listed(
        self, collection: str, *, tenant: str, only: Metadata
    ) -> list[tuple[str, Metadata]]:
        """Ids and metadata of all passages of the tenant with these values."""
        ...

    async def remove(
        self,
        collection: str,
        ids: Sequence[str],
        *,
        tenant: str,
        only: Metadata | None = None,
    ) -> int:
        """Delete passages of the tenant; the number deleted."""
        ...
