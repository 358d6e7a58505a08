"""Runs without a server: the same promises, for as long as the process lives."""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from agent_runtime.agent.completion import Message
from agent_runtime.runs.in_process_run import KeptRun
from agent_runtime.runs.packing import dumps, error_of, loads, result_of
from agent_runtime.runs.port import (
    TERMINAL,
    Page,
    RunEvent,
    RunRecord,
    RunState,
    SessionRecord,
)
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

KEPT_RUNS = 1000
"""Ended runs that can still be read."""
MAX_QUEUE = 10_000


class InProcessRuns:
    """A RunStore in this process; `memory_messages` 0 remembers no conversation."""

    def __init__(self, *, memory_messages: int = 0) -> None:
        self._limit = memory_messages
        self._runs: dict[str, KeptRun] = {}
        self._ended: deque[str] = deque()
        self._keys: dict[tuple[str, str], str] = {}
        self._turns: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self._said: defaultdict[tuple[str, str], list[Message]] = defaultdict(list)
        self._queue: deque[str] = deque()
        self._queued = asyncio.Event()
        self._last = 0

    async def submit(self, run: NewRun, worker: str) -> Submitted:
        key = (run.tenant, run.idempotency_key)
        if run.idempotency_key and (same := self._runs.get(self._keys.get(key, ""))):
            return Submitted(same.record, digest=same.new.digest)
        turns = self._turns[run.tenant, run.session]
        if turns and run.on_busy == "reject":
            raise SessionBusyError(turns[0])
        if run.on_busy in ("interrupt", "rollback"):
            for other in reversed(list(turns)):
                if run.on_busy == "interrupt":
                    self._remember(self._runs[other], self._runs[other].new.asked)
                self._cancel(self._runs[other], run.on_busy)
            turns = self._turns[run.tenant, run.session]
        if len(self._queue) >= MAX_QUEUE:
            raise QueueFullError
        stored = self._store(run)
        if run.idempotency_key:
            self._keys[key] = run.id
        turns.append(run.id)
        if turns[0] != run.id:
            return Submitted(stored.record)
        if not worker or self._queue:
            self._enqueue(stored)
            return Submitted(stored.record)
        claim = self._take(stored)
        return Submitted(stored.record, claim)

    async def next(self, worker: str, seconds: float) -> Claim | None:
        try:
            async with asyncio.timeout(seconds):
                while not self._queue:
                    self._queued.clear()
                    await self._queued.wait()
        except TimeoutError:
            return None
        return await self.claim(worker, self._queue.popleft())

    async def claim(self, worker: str, entry: str) -> Claim | None:
        del worker
        run = self._runs.get(entry)
        return self._take(run) if run and run.record.state == "queued" else None

    async def write(self, worker: str, writes: Sequence[Write]) -> list[Written]:
        del worker
        return [self._write(each) for each in writes]

    async def confirm(self) -> bool:
        return True

    async def beat(self, worker: str, runs: Mapping[str, int]) -> Beat:
        del worker
        lost = [run for run, fence in runs.items() if not self._holds(run, fence)]
        return Beat(lost)

    async def leave(self, worker: str) -> None:
        del worker

    async def reap(self, worker: str) -> Reaped:
        del worker
        now = time.time()
        for run in list(self._runs.values()):
            if run.record.state == "waiting_input" and run.expires <= now:
                expired = dumps({"approved": False, "by": "", "answer": "nobody decided in time"})
                run.answers.update(dict.fromkeys(run.open - run.answers.keys(), expired))
                self._enqueue(run)
        return Reaped(queued=len(self._queue))

    async def get(self, tenant: str, run_id: str) -> RunRecord | None:
        run = self._runs.get(run_id)
        return run.record if run and run.record.tenant == tenant else None

    async def list(
        self,
        tenant: str,
        *,
        session: str | None,
        state: RunState | None,
        limit: int,
        cursor: str | None,
    ) -> Page:
        records = [run.record for run in reversed(self._runs.values())]
        fits = [
            each
            for each in records
            if each.tenant == tenant
            and (session is None or each.session == session)
            and (state is None or each.state == state)
        ]
        at = int(cursor) if cursor and cursor.isdigit() else 0
        following = str(at + limit) if len(fits) > at + limit else None
        return Page(tuple(fits[at : at + limit]), following)

    async def events(self, run_id: str, after: str | None) -> AsyncGenerator[RunEvent]:
        run = self._runs.get(run_id)
        at = int(after.partition("-")[0]) if after else 0
        while run:
            for event in [each for each in run.events if _number(each) > at]:
                at = _number(event)
                yield event
                if event.last:
                    return
            if run.events and _number(run.events[-1]) > at:
                continue
            run.changed.clear()
            await run.changed.wait()

    async def cancel(self, tenant: str, run_id: str, reason: str) -> Canceled:
        run = self._runs.get(run_id)
        if run is None or run.record.tenant != tenant:
            return "unknown"
        if run.record.state in TERMINAL:
            return "ended"
        self._cancel(run, reason)
        return "ok"

    async def answer(self, tenant: str, run_id: str, answers: Mapping[str, str]) -> Answered:
        run = self._runs.get(run_id)
        if run is None or run.record.tenant != tenant:
            return "unknown"
        if any(run.answers.get(each, value) != value for each, value in answers.items()):
            return "answered"
        fresh = {each: value for each, value in answers.items() if each not in run.answers}
        if fresh and run.record.state != "waiting_input":
            return "idle"
        if not fresh.keys() <= run.open:
            return "no_approval"
        run.answers.update(fresh)
        if fresh and run.open <= run.answers.keys():
            self._enqueue(run)
            self._log(run, "run.queued", '{"state":"queued"}')
        return "ok"

    async def session(self, tenant: str, session: str) -> SessionRecord:
        key = (tenant, session)
        turns = self._turns.get(key, [])
        said = tuple(self._said.get(key, ()))
        return SessionRecord(session, said, turns[0] if turns else None, tuple(turns[1:]))

    async def forget(self, tenant: str, session: str) -> None:
        self._said.pop((tenant, session), None)

    async def close(self) -> None:
        for run in self._runs.values():
            run.changed.set()

    def _store(self, run: NewRun) -> KeptRun:
        stored = self._runs[run.id] = KeptRun.of(run)
        self._log(stored, "run.queued", '{"state":"queued"}')
        return stored

    def _take(self, run: KeptRun) -> Claim:
        run.change("running", attempt=run.record.attempt + 1, result=None)
        data = {"state": "running", "attempt": run.record.attempt}
        self._log(run, "run.running", dumps(data))
        said = self._said.get((run.record.tenant, run.record.session), ())
        return run.claimed(list(said))

    def _write(self, write: Write) -> Written:
        run = self._runs.get(write.claim.run_id)
        if run is None or not self._holds(write.claim.run_id, write.claim.fence):
            return Written("stale")
        if write.number <= run.number:
            return Written("repeated")
        run.number, run.step = write.number, write.step
        run.journal.update({name: loads(value) for name, value in write.journal.items()})
        ids = [self._log(run, kind, data) for kind, data in write.events]
        end = write.end
        if end is None:
            return Written("ok", ids)
        if end.state == "waiting_input":
            run.fence += 1
            run.open, run.expires = set(end.approvals) | run.answers.keys(), end.expires
            attempt = run.record.attempt - 1
            run.change("waiting_input", result=result_of(end.value), attempt=attempt)
            ids.append(self._log(run, "run.waiting_input", end.data))
        elif end.state == "queued":
            run.fence += 1
            self._log(run, "step.restarted", end.data)
            run.change("queued", attempt=run.record.attempt - 1)
            self._enqueue(run)
        else:
            self._remember(run, end.remembered)
            ids.append(self._finish(run, end.state, end.data, value=end.value))
        return Written("ok", ids)

    def _holds(self, run_id: str, fence: int) -> bool:
        run = self._runs.get(run_id)
        return bool(run and run.fence == fence and run.record.state == "running")

    def _cancel(self, run: KeptRun, reason: str) -> None:
        if run.record.id in self._queue:
            self._queue.remove(run.record.id)
        self._finish(run, "canceled", dumps({"state": "canceled", "reason": reason}))

    def _finish(self, run: KeptRun, state: RunState, data: str, *, value: str | None = None) -> str:
        run.fence += 1
        result = result_of(value) if state == "completed" else None
        error = error_of(value) if state == "failed" else None
        run.change(state, result=result, error=error)
        run.journal.clear()
        event = self._log(run, f"run.{state}", data)
        key = (run.record.tenant, run.record.session)
        turns = self._turns[key]
        had_turn = turns[:1] == [run.record.id]
        turns.remove(run.record.id)
        if not turns:
            del self._turns[key]
        elif had_turn:
            self._enqueue(self._runs[turns[0]])
        self._ended.append(run.record.id)
        if len(self._ended) > KEPT_RUNS:
            gone = self._runs.pop(self._ended.popleft())
            self._keys.pop((gone.record.tenant, gone.new.idempotency_key), None)
        return event

    def _enqueue(self, run: KeptRun) -> None:
        run.change("queued")
        self._queue.append(run.record.id)
        self._queued.set()

    def _remember(self, run: KeptRun, messages: Sequence[Message]) -> None:
        if self._limit:
            said = self._said[run.record.tenant, run.record.session]
            said += messages
            del said[: -self._limit]

    def _log(self, run: KeptRun, kind: Any, data: str) -> str:
        self._last = max(self._last + 1, int(time.time() * 1000))
        return run.log(f"{self._last}-0", kind, data)


def _number(event: RunEvent) -> int:
    return int(event.id.partition("-")[0])
