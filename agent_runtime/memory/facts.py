"""Facts that an agent keeps beyond a session: remembered off the reply path, recalled, forgotten.

A fact belongs to a tenant and a subject, which is the person who asked or the whole tenant, and to
the agent that kept it. Its id is its content, so that keeping it twice keeps it once.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from agent_runtime.agent.retry import ATTEMPTS, full_jitter
from agent_runtime.errors import RequestError
from agent_runtime.memory.ports import (
    Hit,
    LongTermMemory,
    MemoryUnavailableError,
    Metadata,
    Passage,
)
from agent_runtime.stopping import stopped
from agent_runtime.telemetry.metrics import Metrics

QUEUE = 256
BATCH = 32
DRAIN_SECONDS = 5.0
KIND = "fact"

_log = logging.getLogger(__name__)


class Embedder(Protocol):
    """Turns texts into vectors of the collection's dimension. Raises RequestError."""

    async def embed(self, text: str) -> list[float]: ...

    async def embed_all(self, texts: Sequence[str]) -> list[list[float]]: ...


@dataclass(frozen=True)
class Owner:
    """Whose facts they are."""

    tenant: str
    agent: str
    subject: str
    """A digest of the person's name, or `tenant`."""

    @classmethod
    def of(cls, tenant: str, agent: str, user: str | None) -> "Owner":
        """`user` None: everybody of the tenant shares the facts."""
        subject = "tenant" if user is None else hashlib.sha256(user.encode()).hexdigest()[:32]
        return cls(tenant, agent, subject)

    @property
    def only(self) -> Metadata:
        return {"kind": KIND, "agent": self.agent, "subject": self.subject}


def fact_id(owner: Owner, fact: str) -> str:
    """The same for the same fact of the same owner: 64 hex digits."""
    text = "\x1f".join((owner.tenant, owner.agent, owner.subject, fact))
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class _Kept:
    owner: Owner
    fact: str
    created: int


class Facts:
    """The facts of one agent; writes wait in a bounded queue, which a task works off."""

    def __init__(
        self,
        memory: LongTermMemory,
        embedder: Embedder,
        metrics: Metrics,
        *,
        collection: str,
        queue: int = QUEUE,
    ) -> None:
        self._memory = memory
        self._embedder = embedder
        self._metrics = metrics
        self._collection = collection
        self._queue: asyncio.Queue[_Kept] = asyncio.Queue(queue)
        self._worker: asyncio.Task[None] | None = None

    def remember(self, owner: Owner, fact: str) -> bool:
        """Take a fact in; False where the queue is full. Never waits."""
        try:
            self._queue.put_nowait(_Kept(owner, " ".join(fact.split()), int(time.time())))
        except asyncio.QueueFull:
            self._count("refused")
            return False
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work(), name="facts")
        return True

    async def recall(self, owner: Owner, query: str, *, top_k: int) -> list[Hit]:
        """The nearest facts, best first. Raises MemoryUnavailableError or RequestError."""
        vector = await self._embedder.embed(query)
        return await self._memory.search(
            self._collection, vector, tenant=owner.tenant, top_k=top_k, only=owner.only
        )

    async def forget(self, owner: Owner, ids: Sequence[str]) -> int:
        """Delete the owner's own facts; the number deleted. Raises MemoryUnavailableError."""
        return await self._memory.remove(
            self._collection, ids, tenant=owner.tenant, only=owner.only
        )

    async def flush(self) -> None:
        """Wait until everything taken in so far is stored or given up."""
        await self._queue.join()

    async def close(self) -> None:
        """Store what waits, for a few seconds at most; the rest is counted as failed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._queue.join()
        if self._worker:
            await stopped(self._worker)
        if left := self._queue.qsize():
            self._count("failed", left)

    async def _work(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            try:
                await self._persist(batch)
            finally:
                for _ in batch:
                    self._queue.task_done()

    async def _persist(self, batch: list[_Kept]) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._store(batch)
            except (MemoryUnavailableError, RequestError) as error:
                reason = str(error)
            except Exception as error:  # noqa: BLE001 # the worker must outlive any defect
                reason = type(error).__name__
                break
            else:
                return
            if attempt < ATTEMPTS:
                await asyncio.sleep(full_jitter(attempt))
        self._count("failed", len(batch))
        _log.warning("facts lost", extra={"fields": {"facts": len(batch), "reason": reason}})

    async def _store(self, batch: list[_Kept]) -> None:
        """Store what is new of the batch; the rest is known already."""
        by_id = {fact_id(kept.owner, kept.fact): kept for kept in batch}
        for tenant in {kept.owner.tenant for kept in batch}:
            mine = [each for each, kept in by_id.items() if kept.owner.tenant == tenant]
            for known in await self._memory.known(self._collection, mine, tenant=tenant):
                del by_id[known]
        if by_id:
            vectors = await self._embedder.embed_all([kept.fact for kept in by_id.values()])
            passages = [
                Passage(each, kept.fact, vector, kept.owner.tenant, _metadata(kept))
                for (each, kept), vector in zip(by_id.items(), vectors, strict=True)
            ]
            await self._memory.store(self._collection, passages)
        self._count("stored", len(by_id))
        self._count("known", len(batch) - len(by_id))

    def _count(self, outcome: str, number: int = 1) -> None:
        self._metrics.memory_writes.labels(self._metrics.agent, outcome).inc(number)


def _metadata(kept: _Kept) -> Metadata:
    return {**kept.owner.only, "created": kept.created}
