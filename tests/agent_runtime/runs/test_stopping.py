"""A process that is asked to stop does, at whatever moment that meets its talk with the store."""

import asyncio
from pathlib import Path

import pytest

from agent_runtime.memory.redis_store import connect
from agent_runtime.runs.faults import Faults
from agent_runtime.runs.log_writer import LogWriter
from agent_runtime.runs.redis_runs import RedisRuns
from agent_runtime.runs.run_log import RunLog
from agent_runtime.runs.store import Claim, End
from agent_runtime.runs.worker import Worker
from agent_runtime.secret_file import SecretFile
from agent_runtime.stopping import stopped, within
from agent_runtime.telemetry.metrics import Metrics
from tests.agent_runtime.runs.conftest import new_run
from tests.harness.workload import Workload

pytestmark = pytest.mark.services

MOMENTS = 16
"""Turns of the loop; one command takes about eight."""
ME = "worker"


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


class Idle:
    """Works on nothing."""

    async def advance(self, log: RunLog) -> End:
        raise NotImplementedError


async def test_a_worker_stops_at_whatever_moment_it_is_asked_to(redis_runs: RedisRuns) -> None:
    metrics = Metrics("idle")
    async with asyncio.timeout(60):
        for moment in range(MOMENTS):
            worker = Worker(
                redis_runs,
                Idle(),
                metrics=metrics,
                faults=Faults(),
                max_runs=1,
                lease_seconds=0.0,  # it beats and reaps without a pause
            )
            await worker.start()
            await turns(moment)
            await worker.drain(0)


async def test_a_writer_and_its_readers_stop_at_whatever_moment_they_are_asked_to(
    redis_runs: RedisRuns,
) -> None:
    async with asyncio.timeout(60):
        for moment in range(MOMENTS):
            await redis_runs.beat(ME, {})
            taken = await redis_runs.submit(new_run(f"s{moment}"), ME)
            assert isinstance(taken.claim, Claim)
            writer = LogWriter(redis_runs, ME)
            writer.start()
            log = writer.open(taken.claim)
            events = redis_runs.events(taken.claim.run_id, None)
            for _ in range(2):
                await anext(events)
            following = asyncio.ensure_future(anext(events))
            for turn in range(moment):
                log.text(turn, "a")
                await log.barrier() if turn % 8 == 0 else await turns(1)
            await writer.close()
            await redis_runs.close()
            await stopped(following)


async def test_work_that_takes_too_long_is_cut_off(valkey: Workload, password_file: Path) -> None:
    redis = connect("127.0.0.1", valkey.port, password=SecretFile(password_file), tls=False)
    assert not await within(0.05, redis.blpop(["nothing-is-ever-here"], 30))
    assert await within(30, redis.ping())
    with pytest.raises(ZeroDivisionError):
        await within(30, _fails())
    await redis.aclose()


async def _fails() -> None:
    raise ZeroDivisionError
