"""A store with a replica: what must not be lost with the primary is on both before it counts."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis as blocking

from agent_runtime.agent import tool_step
from agent_runtime.memory.redis_store import connect
from agent_runtime.secret_file import SecretFile
from tests.agent_runtime.conftest import PASSWORD
from tests.agent_runtime.runs.conftest import stored_runs
from tests.agent_runtime.runs.effects import World, approve, begin, settled, world
from tests.agent_runtime.runs.freezing import Freezer
from tests.harness.agent import serving_agent
from tests.harness.workload import Workload, eventually, workload

pytestmark = pytest.mark.services


@contextmanager
def valkey_in(folder: Path, password_file: Path) -> Iterator[Workload]:
    with workload("session_store", "--password-file", password_file, "--data", folder) as running:
        yield running


def admin(server: Workload) -> "blocking.Redis":
    return blocking.Redis(port=server.port, password=PASSWORD)


def follow(replica: Workload, primary: Workload) -> None:
    """Returns once the replica has what the primary has."""
    with admin(replica) as client:
        client.config_set("masterauth", PASSWORD)
        client.replicaof("127.0.0.1", str(primary.port))
        eventually(
            lambda: client.info("replication")["master_link_status"] == "up" or None,
            "the replica to follow",
        )


@pytest.fixture
def primary(tmp_path: Path, password_file: Path) -> Iterator[Workload]:
    with valkey_in(tmp_path / "primary", password_file) as running:
        yield running


@pytest.fixture
def replica(tmp_path: Path, password_file: Path) -> Iterator[Workload]:
    with valkey_in(tmp_path / "replica", password_file) as running:
        yield running


@pytest.fixture
def around(primary: Workload) -> Iterator[World]:
    with world(f"copied-{uuid.uuid4().hex[:6]}", primary.port) as running:
        yield running


async def test_a_write_is_confirmed_only_while_a_replica_has_it(
    primary: Workload, replica: Workload, password_file: Path
) -> None:
    redis = connect("127.0.0.1", primary.port, password=SecretFile(password_file), tls=False)
    store = stored_runs(redis, replicas=1)
    assert not await store.confirm()
    follow(replica, primary)
    assert await store.confirm()
    replica.kill()
    assert not await store.confirm()
    assert await stored_runs(redis).confirm(), "nobody asked for replicas"
    await redis.aclose()


@pytest.mark.slow
def test_a_call_that_cannot_be_repeated_waits_for_a_replica_and_others_do_not(
    around: World, primary: Workload, replica: Workload, password_file: Path
) -> None:
    order = uuid.uuid4().hex
    env = around.environment(password_file, store_replicas="1")
    with serving_agent(around.document, **env) as agent:
        waits = begin(agent.url, f"try book {order}")
        assert settled(agent.url, begin(agent.url, f"try look {order}"))["state"] == "completed"
        assert around.effects.done[order] == 0
        follow(replica, primary)
        assert settled(agent.url, waits)["state"] == "completed"
    assert around.effects.done[order] == 1


def test_a_call_is_given_up_where_no_replica_ever_answers(
    around: World, password_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool_step, "CONFIRM_SECONDS", 0.0)
    order = uuid.uuid4().hex
    env = around.environment(password_file, store_replicas="1")
    with serving_agent(around.document, **env) as agent:
        found = settled(agent.url, begin(agent.url, f"try book {order}"))
    assert found["state"] == "completed"
    told = around.model.requests[-1]["body"]["messages"][-1]["content"]
    assert tool_step.UNCONFIRMED in told
    assert around.effects.done[order] == 0


@pytest.mark.slow
def test_after_a_failover_a_call_of_unknown_outcome_is_asked_about(
    around: World,
    primary: Workload,
    replica: Workload,
    password_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = uuid.uuid4().hex
    env = around.environment(password_file, store_replicas="1")
    follow(replica, primary)
    freezer, text = Freezer(monkeypatch), f"try book {order}"
    with freezer.begun(around, around.name, "tool.called", text, **env):
        primary.kill()
        with admin(replica) as client:
            client.replicaof("NO", "ONE")
        promoted = {**env, "redis_port": replica.port, "store_replicas": "0"}
        with serving_agent(around.document, **promoted, queue=around.name) as other:
            found = settled(other.url, begin(other.url, text, key=order))
            assert found["state"] == "waiting_input"
            assert "not known whether" in found["approvals"][0]["prompt"]
            approve(other.url, found, "reject")
            assert settled(other.url, found["id"])["state"] == "completed"
    assert around.effects.done[order] == 1
