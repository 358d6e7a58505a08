"""What the runtime asks of memory, whoever keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agent_runtime.agent.completion import Message


class MemoryUnavailableError(Exception):
    """The store can't be reached; nothing is known about what it holds."""


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


@dataclass(frozen=True)
class Passage:
    """A piece of a document, as stored."""

    id: str
    """Derived from tenant and content, so that storing it twice changes nothing."""
    content: str
    embedding: list[float]
    tenant: str
    document: str
    title: str
    language: str
    chunk: int


@dataclass(frozen=True)
class Hit:
    """A piece of a document that a search found; `score` is the cosine similarity."""

    content: str
    document: str
    title: str
    chunk: int
    score: float


class LongTermMemory(Protocol):
    """Passages by meaning, each tenant apart. Raises MemoryUnavailableError."""

    async def search(
        self, collection: str, vector: list[float], *, tenant: str, top_k: int
    ) -> list[Hit]: ...

    async def store(self, collection: str, passages: Sequence[Passage]) -> int: ...
