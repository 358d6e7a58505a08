"""Executes runs: takes them from the queue, keeps their lease, hands them back when it stops."""

import asyncio
import logging
import random
import socket
import time
import uuid
from contextlib import suppress
from typing import Protocol

from agent_runtime.errors import RequestError
from agent_runtime.memory.ports import MemoryUnavailableError
from agent_runtime.runs.ends import failed, handed_back
from agent_runtime.runs.faults import Faults
from agent_runtime.runs.log_writer import LogWriter
from agent_runtime.runs.redis_shapes import ForeignQueueError
from agent_runtime.runs.room import Room
from agent_runtime.runs.run_log import RunLog, RunLostError
from agent_runtime.runs.store import Claim, End, RunStore
from agent_runtime.stopping import AGAIN_SECONDS, stopped, within
from agent_runtime.telemetry.metrics import Metrics

TAKE_SECONDS = 2.0
"""How long one blocking read of the queue waits."""
LAST_SECONDS = 3.0
"""What handing back the runs that did not end may take."""
_AWAY_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Execution(Protocol):
    """Works on a run until it ends or waits. Raises RequestError, RunLostError."""

    async def advance(self, log: RunLog) -> End: ...


class Worker:
    """`max_runs` at once; a run that was given to it and lost is cut off where it stands."""

    def __init__(
        self,
        store: RunStore,
        execution: Execution,
        *,
        metrics: Metrics,
        faults: Faults,
        max_runs: int,
        lease_seconds: float,
    ) -> None:
        self.name = f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}"
        self.writer = LogWriter(store, self.name)
        self._store = store
        self._execution = execution
        self._metrics = metrics
        self._faults = faults
        self._room = Room(max_runs)
        self._lease = lease_seconds
        self._active: dict[tuple[str, int], tuple[asyncio.Task[None], RunLog]] = {}
        """By run and fence: a run that was lost may be back before the work on it has stopped."""
        self._services: list[asyncio.Task[None]] = []
        self._expected: set[str] = set()
        """Runs whose submission is on its way, and may give them to this worker."""
        self._look = 0
        """Counts looks at the queue; odd while one is on its way."""
        self._strays: dict[str, int] = {}
        """Queue entries that nobody here knows, with the look at which they were first seen."""
        self._draining = False
        self._leased_until = 0.0
        self.registered = False

    async def start(self, *, takes: bool = True) -> None:
        """`takes` False: what comes in here is executed elsewhere."""
        self.writer.start()
        await self._beat_once()
        loops = [self._beat(), self._reap(), *([self._take()] if takes else [])]
        self._services = [asyncio.create_task(each) for each in loops]

    def reserve(self, run_id: str = "") -> bool:
        """Take room for one run, if there is any; `execute` or `free` must follow."""
        if self._draining or not self.registered or not self._room.try_take():
            return False
        if run_id:
            self._expected.add(run_id)
        return True

    def free(self, run_id: str = "") -> None:
        self._expected.discard(run_id)
        self._room.give()

    def execute(self, claim: Claim) -> None:
        """Work on a run in the room that was reserved for it."""
        log = self.writer.open(claim)
        task = asyncio.create_task(self._execute(log))
        self._active[claim.run_id, claim.fence] = (task, log)
        self._expected.discard(claim.run_id)
        log.on_lost = lambda: _cut_off(task)
        log.held = self._holds
        log.confirmed = self._store.confirm
        if claim.attempt == 1:
            waited = max(0.0, time.time() - claim.created)
            self._metrics.queue_wait.labels(self._metrics.agent).observe(waited)

    def lose(self, run_id: str) -> None:
        """The run was canceled: stop working on it."""
        if log := self.writer.find(run_id):
            log.lose()

    async def drain(self, seconds: float) -> None:
        """Take nothing more; let what runs end; after `seconds` hand the rest back.

        Where the store does not answer, the rest is found by its lease.
        """
        self._draining = True
        await stopped(*self._services[2:])
        if running := [task for task, _ in self._active.values()]:
            await asyncio.wait(running, timeout=seconds)
        await within(LAST_SECONDS, self._hand_back())
        await stopped(*self._services, *(task for task, _ in self._active.values()))
        await self.writer.close()

    async def _hand_back(self) -> None:
        if self._active:
            _log.info("handing back", extra={"fields": {"runs": len(self._active)}})
        while self._active:
            for task, log in self._active.values():
                if not log.let_go:
                    task.cancel()
            await asyncio.wait([task for task, _ in self._active.values()], timeout=AGAIN_SECONDS)
        await stopped(*self._services)
        with suppress(MemoryUnavailableError):
            await self._store.leave(self.name)

    async def _execute(self, log: RunLog) -> None:
        run_id = log.claim.run_id
        fields = {"run": run_id, "attempt": log.claim.attempt}
        state = self._metrics.runs.labels(self._metrics.agent, "running")
        state.inc()
        try:
            self._faults.reach("run.claimed")
            await self._to_its_end(log)
        except RunLostError:
            _log.warning("run lost", extra={"fields": fields})
        except MemoryUnavailableError as error:
            _log.warning("run given up", extra={"fields": {**fields, "reason": str(error)}})
        except asyncio.CancelledError:
            log.let_go = True
            if log.lost:
                _log.warning("run lost", extra={"fields": fields})
            elif self._draining:
                with suppress(RunLostError, MemoryUnavailableError):
                    await log.end(handed_back(log.step))
        finally:
            state.dec()
            del self._active[run_id, log.claim.fence]
            self.writer.drop(log)
            self._room.give()

    async def _to_its_end(self, log: RunLog) -> None:
        try:
            end = await self._execution.advance(log)
        except RequestError as error:
            end = failed(error)
        except (RunLostError, MemoryUnavailableError):
            raise
        except Exception:  # noqa: BLE001 # whatever it is, the run must end
            _log.exception("run failed", extra={"fields": {"run": log.claim.run_id}})
            end = failed(RequestError(500, "internal_error", "the agent failed; its log says why"))
        point = "wait" if end.state == "waiting_input" else "end"
        self._faults.reach(f"{point}.before")
        await log.end(end)
        self._faults.reach(f"{point}.after")

    async def _take(self) -> None:
        while True:
            await self._room.take()
            claim = None
            try:
                if self.registered:
                    self._look += 1
                    try:
                        claim = await self._store.next(self.name, TAKE_SECONDS)
                    finally:
                        self._look += 1
                else:
                    await asyncio.sleep(_AWAY_SECONDS / 10)
            except MemoryUnavailableError:
                await asyncio.sleep(_AWAY_SECONDS)
            except ForeignQueueError as error:
                _log.error("queue shared", extra={"fields": {"reason": str(error)}})  # no trace
                await asyncio.sleep(_AWAY_SECONDS)
            finally:
                if claim is None:
                    self._room.give()
            if claim:
                self.execute(claim)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._lease / 5 if self.registered else _AWAY_SECONDS)
            await self._beat_once()

    async def _beat_once(self) -> None:
        fences = dict(self._active.keys())  # of two of the same run the later one
        began = time.monotonic()
        try:
            beat = await self._store.beat(self.name, fences)
        except MemoryUnavailableError as error:
            _log.warning("no heartbeat", extra={"fields": {"reason": str(error)}})
            return
        self.registered = True
        self._leased_until = began + self._lease
        for run_id in beat.lost:
            if active := self._active.get((run_id, fences[run_id])):
                active[1].lose()
        await self._adopt(set(beat.strays))

    def _holds(self) -> bool:
        """Whether the lease holds, and some time more; not so when this process stood still."""
        return time.monotonic() < self._leased_until - self._lease / 5

    async def _adopt(self, strays: set[str]) -> None:
        """A claim whose reply was lost is this worker's without its knowing: one that was seen
        before, and that no request which is on its way can have brought."""
        known = {run for run, _ in self._active} | self._expected
        seen, self._strays = (
            self._strays,
            {
                entry: self._strays.get(entry, self._look)
                for entry in strays
                if entry.rpartition("/")[2] not in known
            },
        )
        for entry in sorted(self._strays.keys() & seen.keys()):
            if self._look % 2 and self._strays[entry] == self._look:
                continue
            if not self.reserve():
                return
            claim = None
            try:
                claim = await self._store.claim(self.name, entry)
            except (MemoryUnavailableError, ForeignQueueError) as error:
                _log.warning("not adopted", extra={"fields": {"reason": str(error)}})
            finally:
                if claim is None:
                    self.free()
            if claim:
                self.execute(claim)

    async def _reap(self) -> None:
        while True:
            # workers look at different moments
            await asyncio.sleep(self._lease / 3 * random.uniform(0.7, 1.0))  # noqa: S311
            try:
                found = await self._store.reap(self.name)
            except MemoryUnavailableError:
                continue
            self._metrics.runs.labels(self._metrics.agent, "queued").set(found.queued)
            if found.given_back or found.dead:
                fields = {"given_back": found.given_back, "dead": found.dead}
                _log.warning("runs of lost workers", extra={"fields": fields})


def _cut_off(task: asyncio.Task[None]) -> None:
    task.cancel()
