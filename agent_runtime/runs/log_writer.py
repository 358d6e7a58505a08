"""Stores what all runs of this process record, many runs in one round trip."""

import asyncio
import logging

from agent_runtime.memory.ports import MemoryUnavailableError
from agent_runtime.runs.run_log import RunLog
from agent_runtime.runs.store import Claim, RunStore, Write, Written
from agent_runtime.stopping import stopped

PAUSE_SECONDS = 0.02
"""Between two writes that nobody waits for."""
BEHIND_SECONDS = 0.005
"""Before a write that nobody waits for: what it would hold up, the next call, goes first."""
WORDS_SECONDS = 0.03
"""Between two writes of the words of a run: those in between are stored as one. The first words of
a step do not wait."""
PATIENCE_SECONDS = 120.0
"""How long a store may be away before the runs of this process are given up."""
_BACKOFF_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0)

_log = logging.getLogger(__name__)


class LogWriter:
    """Knows the log of every run that this process executes."""

    def __init__(self, store: RunStore, worker: str) -> None:
        self._store = store
        self._worker = worker
        self._logs: dict[str, RunLog] = {}
        self._dirty: set[str] = set()
        self._hurried: set[str] = set()
        self._wake = asyncio.Event()
        self._pausing: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._write_all())

    async def close(self) -> None:
        if self._task:
            await stopped(self._task)
        for log in list(self._logs.values()):
            log.lose(MemoryUnavailableError("the worker has stopped"))

    def open(self, claim: Claim) -> RunLog:
        run_id = claim.run_id

        def wake() -> None:
            self._dirty.add(run_id)
            self._wake.set()

        def hurry() -> None:
            wake()
            self._hurried.add(run_id)
            _go_on(self._pausing)

        log = RunLog(claim, wake, hurry)
        self._logs[run_id] = log
        return log

    def find(self, run_id: str) -> RunLog | None:
        return self._logs.get(run_id)

    def drop(self, log: RunLog) -> None:
        """The run is out of this worker's hands."""
        log.hang_up()
        if self._logs.get(log.claim.run_id) is log:
            del self._logs[log.claim.run_id]

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        last = 0.0
        while True:
            await self._wake.wait()
            if not self._hurried:
                await self._pause(max(BEHIND_SECONDS, last + PAUSE_SECONDS - loop.time()))
            now = loop.time()
            due = set(self._hurried)
            if now >= last + PAUSE_SECONDS:
                last = now
                due.update(run for run in self._dirty if self._is_due(run, now))
            self._hurried.clear()
            self._dirty -= due
            if not self._dirty:
                self._wake.clear()
            await self._write(due, now)

    async def _pause(self, seconds: float) -> None:
        """For so long, or until somebody hurries."""
        loop = asyncio.get_running_loop()
        self._pausing = loop.create_future()
        timer = loop.call_later(seconds, _go_on, self._pausing)
        try:
            await self._pausing
        finally:
            timer.cancel()
            self._pausing = None

    def _is_due(self, run_id: str, now: float) -> bool:
        log = self._logs.get(run_id)
        return not (log and log.speaks and now < log.stored_at + WORDS_SECONDS)

    async def _write(self, due: set[str], now: float) -> None:
        logs = [log for run in due if (log := self._logs.get(run)) and log.pending]
        if not logs:
            return
        for log in logs:
            log.stored_at = now
        writes = [log.write() for log in logs]
        try:
            answers = await self._persist(writes)
        except MemoryUnavailableError as error:
            for log in logs:
                log.lose(error)
            return
        for log, write, answer in zip(logs, writes, answers, strict=True):
            if answer.outcome == "stale":
                log.lose()
            else:
                if answer.outcome == "repeated":
                    log.complete = False
                    log.hang_up()
                log.written(write, list(answer.ids))

    async def _persist(self, writes: list[Write]) -> list[Written]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_SECONDS
        attempt = 0
        while True:
            try:
                return await self._store.write(self._worker, writes)
            except MemoryUnavailableError:
                if loop.time() >= deadline:
                    raise
                if not attempt:
                    _log.warning("the store is away; what runs goes on, its writes wait")
                await asyncio.sleep(_BACKOFF_SECONDS[min(attempt, len(_BACKOFF_SECONDS) - 1)])
                attempt += 1


def _go_on(pausing: asyncio.Future[None] | None) -> None:
    if pausing and not pausing.done():
        pausing.set_result(None)
