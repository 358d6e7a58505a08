"""Stores of runs, real ones; each test has one of its own."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from agent_runtime.memory.redis_store import connect
from agent_runtime.runs.faults import Faults
from agent_runtime.runs.in_process import InProcessRuns
from agent_runtime.runs.packing import dumps
from agent_runtime.runs.redis_runs import Keeping, RedisRuns
from agent_runtime.runs.store import NewRun, RunStore
from agent_runtime.secret_file import SecretFile
from tests.harness.workload import Workload

KEEPING = Keeping(queue="", memory_seconds=600, memory_messages=20, lease_seconds=1)


def new_run(session: str = "s", **changes: Any) -> NewRun:
    """A stored question of tenant `acme`."""
    message = {"role": "user", "content": changes.pop("question", "hi")}
    request = {
        "messages": [message],
        "roles": [],
        "headers": {},
        "temperature": None,
        "max_tokens": None,
        "response_format": None,
        "limits": {},
        "chain": [],
        "metadata": {"kept": True},
    }
    run = NewRun(
        id=uuid.uuid4().hex,
        tenant="acme",
        user="u",
        session=session,
        request=dumps(request),
        digest="d",
        asked=[message],
        on_busy="enqueue",
    )
    return replace(run, **changes)


@pytest.fixture
async def redis(valkey: Workload, password_file: Path) -> AsyncIterator[Redis]:
    client = connect("127.0.0.1", valkey.port, password=SecretFile(password_file), tls=False)
    yield client
    await client.aclose()


@pytest.fixture
async def redis_runs(redis: Redis) -> AsyncIterator[RedisRuns]:
    kept = stored_runs(redis)
    yield kept
    await kept.close()


def stored_runs(redis: Redis, **changes: Any) -> RedisRuns:
    """A store for an agent of its own."""
    name = f"agent-{uuid.uuid4().hex[:8]}"
    keeping = replace(KEEPING, queue=f"queue-{name}", **changes)
    return RedisRuns(redis, redis, name, keeping, Faults())


@pytest.fixture(params=["redis", "in process"])
async def store(request: pytest.FixtureRequest, redis: Redis) -> AsyncIterator[RunStore]:
    in_process = InProcessRuns(memory_messages=20)
    kept = in_process if request.param == "in process" else stored_runs(redis)
    yield kept
    await kept.close()
