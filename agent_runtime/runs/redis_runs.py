"""Runs in Redis or Valkey: a hash, a journal and an event stream each, and one queue for all."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from agent_runtime.kagent.outbox import Outbox
from agent_runtime.memory.redis_store import reported
from agent_runtime.runs import redis_shapes as shapes
from agent_runtime.runs import scripts
from agent_runtime.runs.faults import Faults
from agent_runtime.runs.packing import dumps, loads
from agent_runtime.runs.port import Page, RunEvent, RunRecord, RunState, SessionRecord
from agent_runtime.runs.store import (
    Answered,
    Beat,
    Canceled,
    Claim,
    NewRun,
    QueueFullError,
    Reaped,
    SessionBusyError,
    Submitted,
    Write,
    Written,
)
from agent_runtime.runs.tail import Tail

IDEMPOTENCY_SECONDS = 86_400
EXPIRED = dumps({"approved": False, "by": "", "answer": "nobody decided in time"})
_SCAN = 200
_CONFIRM_MS = 1000
"""How long one question to the replicas waits for their answer."""
_BATCH = 64
"""Writes that one program makes; the store does nothing else meanwhile."""


@dataclass(frozen=True)
class Keeping:
    """How much is kept, and for how long."""

    queue: str
    memory_seconds: int
    memory_messages: int
    run_seconds: int = 3600
    """Of a run that ended."""
    lease_seconds: float = 15.0
    max_attempts: int = 3
    max_queue: int = 10_000
    replicas: int = 0
    """Of the store, that must have what shall not be lost with it."""
    outbox: bool = False
    """Whether runs that wait or end are also listed for a mirror."""


class RedisRuns:
    """The RunStore that outlives every process."""

    def __init__(
        self, redis: Redis, blocking: Redis, agent: str, keeping: Keeping, faults: Faults
    ) -> None:
        """`blocking` is used for commands that wait; its answers must be given time."""
        self._faults = faults
        # their types do not know that answers are bytes
        self._redis: Any = redis
        self._blocking: Any = blocking
        self._agent = agent
        self._keeping = keeping
        self._prefix = f"run:{agent}:"
        self._keys = (self._prefix, keeping.queue)
        self._tail = Tail(blocking, self._prefix)

    async def submit(self, run: NewRun, worker: str) -> Submitted:
        keeping = self._keeping
        memory = self._memory(run.tenant, run.session)
        arguments: list[Any] = [
            *(run.id, run.tenant, run.session, run.user, run.request, run.digest),
            *(run.idempotency_key, run.on_busy, worker, keeping.max_queue),
            *(memory, keeping.memory_messages, keeping.memory_seconds, keeping.run_seconds),
            *(int(keeping.outbox), run.trace_id, IDEMPOTENCY_SECONDS),
            dumps([dumps(message) for message in run.asked]),
        ]
        packed = dumps([str(each) for each in arguments])
        async with reported():
            answer = await scripts.SUBMIT.run(self._redis, self._keys, [packed])
        kind = answer[0]
        if kind == b"busy":
            raise SessionBusyError(answer[1].decode())
        if kind == b"full":
            raise QueueFullError
        if kind == b"same":
            found = await self.get(run.tenant, answer[1].decode())
            if found is not None:
                return Submitted(found, digest=answer[2].decode())
            raise QueueFullError  # it expired within this very moment
        return shapes.submitted(run, answer)

    async def next(self, worker: str, seconds: float) -> Claim | None:
        hold = f"{self._prefix}p:{worker}"
        async with reported():
            entry = await self._blocking.blmove(
                self._keeping.queue, hold, seconds, src="RIGHT", dest="LEFT"
            )
        if not entry:
            return None
        self._faults.reach("queue.moved")
        return await self.claim(worker, entry.decode())

    async def claim(self, worker: str, entry: str) -> Claim | None:
        arguments: list[Any] = [worker, entry, self._keeping.memory_messages]
        async with reported():
            answer = await scripts.CLAIM.run(self._redis, self._keys, arguments)
        if answer[0] == b"foreign":
            raise shapes.ForeignQueueError(self._keeping.queue, answer[1].decode())
        return shapes.claim(answer) if answer[0] == b"taken" else None

    async def write(self, worker: str, writes: Sequence[Write]) -> list[Written]:
        keeping = self._keeping
        head = (worker, keeping.memory_messages, keeping.memory_seconds)
        answers: list[Any] = []
        async with reported():
            for at in range(0, len(writes), _BATCH):
                arguments = (*head, shapes.packed_writes(writes[at : at + _BATCH]))
                answers += await scripts.WRITE.run(self._redis, self._keys, arguments)
        return [shapes.written(answer) for answer in answers]

    async def confirm(self) -> bool:
        if not self._keeping.replicas:
            return True
        # WAIT speaks of this connection's own writes; a later one confirms all before it
        async with reported(), self._redis.pipeline(transaction=False) as pipe:
            pipe.set(f"{self._prefix}confirmed", "", px=_CONFIRM_MS)
            pipe.execute_command("WAIT", self._keeping.replicas, _CONFIRM_MS)
            _, replicas = await pipe.execute()
        return bool(replicas >= self._keeping.replicas)

    async def beat(self, worker: str, runs: Mapping[str, int]) -> Beat:
        pairs = [part for run, fence in runs.items() for part in (run, fence)]
        arguments = [worker, int(self._keeping.lease_seconds * 1000), *pairs]
        async with reported():
            lost, strays = await scripts.BEAT.run(self._redis, self._keys, arguments)
        return Beat([each.decode() for each in lost], [each.decode() for each in strays])

    async def leave(self, worker: str) -> None:
        async with reported():
            await scripts.LEAVE.run(self._redis, self._keys, [worker, self._keeping.max_attempts])

    async def reap(self, worker: str) -> Reaped:
        lease_ms = int(self._keeping.lease_seconds * 1000)
        arguments: list[Any] = [self._keeping.max_attempts, lease_ms, _SCAN, EXPIRED, worker]
        async with reported():
            back, dead, queued = await scripts.REAP.run(self._redis, self._keys, arguments)
        return Reaped(back, dead, queued)

    async def get(self, tenant: str, run_id: str) -> RunRecord | None:
        async with reported():
            values = await self._redis.hmget(self._run(run_id), *shapes.RECORD)
        record = shapes.record(run_id, values)
        return record if record and record.tenant == tenant else None

    async def list(
        self,
        tenant: str,
        *,
        session: str | None,
        state: RunState | None,
        limit: int,
        cursor: str | None,
    ) -> Page:
        index = f"{self._prefix}t:{tenant}"
        at = int(cursor) if cursor and cursor.isdigit() else 0
        found: list[RunRecord] = []
        while True:
            async with reported():
                ids = await self._redis.zrevrange(index, at, at + _SCAN - 1)
                records = await self._records([each.decode() for each in ids])
            for record in records:
                at += 1
                if record is None or (session and record.session != session):
                    continue
                if state and record.state != state:
                    continue
                found.append(record)
                if len(found) == limit:
                    return Page(tuple(found), str(at))
            if len(ids) < _SCAN:
                return Page(tuple(found), None)

    async def _records(self, ids: Sequence[str]) -> Sequence[RunRecord | None]:
        if not ids:
            return []
        async with self._redis.pipeline(transaction=False) as pipe:
            for run_id in ids:
                pipe.hmget(self._run(run_id), *shapes.RECORD)
            values = await pipe.execute()
        return [shapes.record(run_id, each) for run_id, each in zip(ids, values, strict=True)]

    async def events(self, run_id: str, after: str | None) -> AsyncGenerator[RunEvent]:
        async for event in self._tail.events(run_id, after):
            yield event
            if event.last:
                return

    async def cancel(self, tenant: str, run_id: str, reason: str) -> Canceled:
        async with reported():
            answer: Any = await scripts.CANCEL.run(
                self._redis, self._keys, [run_id, tenant, reason]
            )
        outcome: Canceled = answer.decode()
        return outcome

    async def answer(self, tenant: str, run_id: str, answers: Mapping[str, str]) -> Answered:
        pairs = [part for pair in answers.items() for part in pair]
        async with reported():
            answer: Any = await scripts.ANSWER.run(
                self._redis, self._keys, [run_id, tenant, *pairs]
            )
        outcome: Answered = answer.decode()
        return outcome

    async def session(self, tenant: str, session: str) -> SessionRecord:
        turns = f"{self._prefix}s:{tenant}:{session}"
        async with reported(), self._redis.pipeline(transaction=True) as pipe:
            pipe.lrange(self._memory(tenant, session), 0, -1)
            pipe.lrange(turns, 0, -1)
            messages, runs = await pipe.execute()
        ids = [each.decode() for each in runs]
        said = tuple(loads(each) for each in messages)
        return SessionRecord(session, said, ids[0] if ids else None, tuple(ids[1:]))

    async def forget(self, tenant: str, session: str) -> None:
        async with reported():
            await self._redis.delete(self._memory(tenant, session))

    def outbox(self) -> Outbox:
        """The runs that are listed for a mirror."""
        return Outbox(self._redis, self._prefix)

    async def owner(self, run_id: str) -> str | None:
        """The tenant whose run it is; None once it expired."""
        async with reported():
            tenant = await self._redis.hget(self._run(run_id), "tenant")
        return tenant.decode() if tenant else None

    async def close(self) -> None:
        await self._tail.close()

    def _run(self, run_id: str) -> str:
        return f"{self._prefix}r:{run_id}"

    def _memory(self, tenant: str, session: str) -> str:
        """Where short-term memory keeps the session's messages."""
        return f"agent:{tenant}:{self._agent}:session:{session}"
