"""Checkpoints for tenants' own graphs, judged by LangGraph's own conformance suite."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.conformance import checkpointer_test, validate

from agent_runtime.memory.checkpoints import RedisCheckpoints
from agent_runtime.memory.redis_store import connect
from agent_runtime.runs.run_log import RunLostError
from agent_runtime.secret_file import SecretFile
from tests.harness.workload import Workload

pytestmark = pytest.mark.services


@pytest.fixture
async def saver(valkey: Workload, password_file: Path) -> AsyncIterator[RedisCheckpoints]:
    redis = connect("127.0.0.1", valkey.port, password=SecretFile(password_file), tls=False)
    yield RedisCheckpoints(redis, f"agent-{uuid.uuid4().hex[:8]}", ttl_seconds=60)
    await redis.aclose()


async def test_langgraphs_conformance_suite_passes_entirely(saver: RedisCheckpoints) -> None:
    @checkpointer_test(name="RedisCheckpoints")
    async def checkpointer() -> AsyncIterator[RedisCheckpoints]:
        yield saver

    report = await validate(checkpointer)
    report.print_report()
    failed = {name: result.failures for name, result in report.results.items() if not result.passed}
    assert report.passed_all(), failed


async def test_a_worker_that_lost_the_run_can_write_no_checkpoint(
    saver: RedisCheckpoints, valkey: Workload, password_file: Path
) -> None:
    redis = connect("127.0.0.1", valkey.port, password=SecretFile(password_file), tls=False)
    await redis.hset(f"run:{saver._agent}:r:one", "fence", "2")
    await redis.aclose()

    def config(fence: str) -> RunnableConfig:
        return {"configurable": {"thread_id": "one", "checkpoint_ns": "", "fence": fence}}

    with pytest.raises(RunLostError):
        await saver.aput(config("1"), empty_checkpoint(), {}, {})
    await saver.aput(config("2"), empty_checkpoint(), {}, {})
