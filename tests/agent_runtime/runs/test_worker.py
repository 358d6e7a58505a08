"""A worker executes what is its own exactly once, however slow or lossy its talk with the store."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from agent_runtime.agent.result import RunResult
from agent_runtime.memory.ports import MemoryUnavailableError
from agent_runtime.runs.ends import completed
from agent_runtime.runs.faults import Faults
from agent_runtime.runs.redis_runs import RedisRuns
from agent_runtime.runs.run_log import RunLog
from agent_runtime.runs.store import Beat, Claim, End
from agent_runtime.runs.worker import Worker
from agent_runtime.telemetry.metrics import Metrics
from tests.agent_runtime.runs.conftest import new_run, stored_runs

pytestmark = pytest.mark.services

LEASE_SECONDS = 0.1
"""Five heartbeats in that time."""


class Counted:
    """Counts how often each run was begun; `until` keeps it from ending."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.until = asyncio.Event()
        self.until.set()

    async def advance(self, log: RunLog) -> End:
        self.begun[log.claim.run_id] += 1
        await self.until.wait()
        self.ended[log.claim.run_id] += 1
        return completed(RunResult("yes", "completed", "stop", "m", "s", "t"), [])


@asynccontextmanager
async def worker(store: RedisRuns, execution: Counted) -> AsyncIterator[Worker]:
    running = Worker(
        store,
        execution,
        metrics=Metrics("tested"),
        faults=Faults(),
        max_runs=4,
        lease_seconds=LEASE_SECONDS,
    )
    await running.start()
    try:
        yield running
    finally:
        await running.drain(0)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 # what it waits for has no event
            await asyncio.sleep(0.005)


async def state(store: RedisRuns, run_id: str) -> str:
    found = await store.get("acme", run_id)
    assert found
    return found.state


async def test_a_claim_whose_reply_is_late_is_not_made_again(redis: Redis) -> None:
    store = stored_runs(redis, lease_seconds=2)
    execution, beats = Counted(), 0
    claim, beat = store.claim, store.beat

    async def late(worker: str, entry: str) -> Claim | None:
        found, before = await claim(worker, entry), beats
        await until(lambda: beats > before + 4)
        return found

    async def counted(worker: str, runs: Mapping[str, int]) -> Beat:
        nonlocal beats
        beats += 1
        return await beat(worker, runs)

    store.claim, store.beat = late, counted  # type: ignore[method-assign]
    async with worker(store, execution):
        run = (await store.submit(new_run(), "")).record.id
        await until(lambda: execution.ended[run])
    assert execution.begun[run] == 1


async def test_a_claim_whose_reply_was_lost_is_found_again(redis: Redis) -> None:
    store = stored_runs(redis, lease_seconds=2)
    execution, claim, lost = Counted(), store.claim, 0

    async def once_lost(worker: str, entry: str) -> Claim | None:
        nonlocal lost
        found = await claim(worker, entry)
        if not lost:
            lost += 1
            raise MemoryUnavailableError("the reply was lost")
        return found

    store.claim = once_lost  # type: ignore[method-assign]
    async with worker(store, execution):
        run = (await store.submit(new_run(), "")).record.id
        await until(lambda: execution.ended[run])
    assert lost
    assert await state(store, run) == "completed"


async def test_a_run_that_was_lost_may_come_back_before_the_work_on_it_has_stopped(
    redis: Redis,
) -> None:
    store = stored_runs(redis, lease_seconds=2)
    execution = Counted()
    execution.until.clear()
    async with worker(store, execution) as running:
        run = (await store.submit(new_run(), "")).record.id
        await until(lambda: execution.begun[run] == 1)
        (task, log) = next(iter(running._active.values()))
        log.on_lost = lambda: None  # the cancellation got lost on its way
        await store.leave(running.name)  # as a reaper would that thought it dead
        await until(lambda: execution.begun[run] == 2)
        execution.until.set()
        await until(lambda: task.done() and not running._active)
        assert execution.begun[run] == 2
    assert await state(store, run) == "completed"
