"""Who asked for what, who agreed, and what was used: entries chained by their hashes.

Each entry holds the hash of the one before it, so that a changed, removed or moved entry breaks the
chain. Whoever can write to the store can make a new chain; therefore each entry also goes to the
log, which is kept elsewhere.
"""

import hashlib
import json
import logging
import time
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from redis.asyncio import Redis
from redis.exceptions import WatchError

from agent_runtime.memory.approvals import Approval
from agent_runtime.memory.redis_store import reported

Event = Literal["asked", "approved", "rejected", "used", "refused"]
_TRIES = 20
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One event of one approval."""

    number: int
    """From 1."""
    at: int
    """Unix time in seconds."""
    event: Event
    approval: str
    tool: str
    digest: str
    """Of tool, arguments and version."""
    by: str
    """Who asked, decided or used."""
    reason: str
    trace_id: str
    before: str
    """Hash of the entry before; of the first one: of tenant and agent."""

    @property
    def hash(self) -> str:
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def public(self) -> dict[str, Any]:
        return {**asdict(self), "hash": self.hash}


@dataclass(frozen=True)
class Fact:
    """What happened, before it has its place in the chain."""

    event: Event
    approval: Approval
    by: str
    reason: str = ""
    trace_id: str = ""

    def entry(self, number: int, before: str) -> Entry:
        return Entry(
            number=number,
            at=int(time.time()),
            event=self.event,
            approval=self.approval.id,
            tool=self.approval.tool,
            digest=self.approval.digest,
            by=self.by,
            reason=self.reason[:500],
            trace_id=self.trace_id or self.approval.trace_id,
            before=before,
        )


class AuditTrail(Protocol):
    """The trail of one agent, each tenant's apart. Raises MemoryUnavailableError."""

    async def record(self, fact: Fact) -> Entry: ...

    async def entries(self, tenant: str, *, start: int = 0, count: int = 100) -> list[Entry]: ...

    async def verify(self, tenant: str) -> str:
        """What is wrong with the chain; empty: nothing."""
        ...


def beginning(tenant: str, agent: str) -> str:
    """What the first entry of a chain points back to."""
    return hashlib.sha256(f"{tenant}/{agent}".encode()).hexdigest()


def broken(entries: list[Entry], first: str, head: str) -> str:
    """The first place at which the chain does not hold; empty: it holds."""
    before = first
    for number, entry in enumerate(entries, 1):
        if entry.number != number or entry.before != before:
            return f"entry {number} does not follow the one before it"
        before = entry.hash
    return "" if before == head else f"what came after entry {len(entries)} is missing or changed"


class RedisAudit:
    """A list of entries and the hash of its last one."""

    def __init__(self, redis: Redis, agent: str) -> None:
        self._redis = redis
        self._agent = agent

    async def record(self, fact: Fact) -> Entry:
        tenant = fact.approval.tenant
        async with reported():
            for _ in range(_TRIES):
                entry = await self._appended(tenant, fact)
                if entry is not None:
                    _told(tenant, entry)
                    return entry
            raise ConnectionError("the audit trail is written to too often at once")

    async def _appended(self, tenant: str, fact: Fact) -> Entry | None:
        """The entry; None where another writer was faster."""
        head, trail = self._head(tenant), self._trail(tenant)
        async with self._redis.pipeline(transaction=True) as pipe:
            await pipe.watch(head)
            last, length = await pipe.get(head), await pipe.llen(trail)
            before = _text(last) or beginning(tenant, self._agent)
            entry = fact.entry(length + 1, before)
            pipe.multi()  # type: ignore[no-untyped-call] # upstream leaves it untyped
            pipe.rpush(trail, json.dumps(asdict(entry)))
            pipe.set(head, entry.hash)
            try:
                await pipe.execute()
            except WatchError:
                return None
        return entry

    async def entries(self, tenant: str, *, start: int = 0, count: int = 100) -> list[Entry]:
        async with reported():
            stored = await self._redis.lrange(self._trail(tenant), start, start + count - 1)
        return [Entry(**json.loads(each)) for each in stored]

    async def verify(self, tenant: str) -> str:
        async with reported():
            stored = await self._redis.lrange(self._trail(tenant), 0, -1)
            head = await self._redis.get(self._head(tenant))
        first = beginning(tenant, self._agent)
        entries = [Entry(**json.loads(each)) for each in stored]
        return broken(entries, first, _text(head) or first)

    def _trail(self, tenant: str) -> str:
        return f"agent:{tenant}:{self._agent}:audit"

    def _head(self, tenant: str) -> str:
        return f"agent:{tenant}:{self._agent}:audit-head"


class InProcessAudit:
    """A trail of this process, for an agent without a store; the log keeps it."""

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._trails: dict[str, list[Entry]] = {}

    async def record(self, fact: Fact) -> Entry:
        tenant = fact.approval.tenant
        trail = self._trails.setdefault(tenant, [])
        before = trail[-1].hash if trail else beginning(tenant, self._agent)
        entry = fact.entry(len(trail) + 1, before)
        trail.append(entry)
        _told(tenant, entry)
        return entry

    async def entries(self, tenant: str, *, start: int = 0, count: int = 100) -> list[Entry]:
        return self._trails.get(tenant, [])[start : start + count]

    async def verify(self, tenant: str) -> str:
        trail = self._trails.get(tenant, [])
        first = beginning(tenant, self._agent)
        return broken(trail, first, trail[-1].hash if trail else first)


def _text(stored: bytes | str | None) -> str:
    return stored.decode() if isinstance(stored, bytes) else stored or ""


def _told(tenant: str, entry: Entry) -> None:
    _log.info("audit", extra={"fields": {"tenant": tenant, **entry.public()}})
