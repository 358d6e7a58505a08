"""A store that is full, that stands still, or that comes back with nothing."""

import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import redis as blocking

from tests.agent_runtime.conftest import PASSWORD
from tests.agent_runtime.runs.effects import TENANT, World, begin, settled, world
from tests.harness.agent import serving_agent
from tests.harness.agent_process import agent_process
from tests.harness.workload import Workload, eventually, free_port, workload

pytestmark = pytest.mark.services


@pytest.fixture
def store(tmp_path: Path, password_file: Path) -> Iterator[Workload]:
    arguments = ("--password-file", password_file, "--data", tmp_path / "store")
    with workload("session_store", *arguments) as running:
        yield running


@pytest.fixture
def around(store: Workload) -> Iterator[World]:
    with world(f"trouble-{uuid.uuid4().hex[:6]}", store.port) as running:
        yield running


@pytest.fixture
def admin(store: Workload) -> Iterator["blocking.Redis"]:
    with blocking.Redis(port=store.port, password=PASSWORD) as client:
        yield client


def asked(url: str, text: str) -> httpx.Response:
    return httpx.post(
        f"{url}/v1/tasks", json={"input": text}, headers=TENANT, trust_env=False, timeout=60
    )


def in_the_model(around: World) -> Callable[[], int | None]:
    return lambda: around.model.played("slow") or None


def test_a_full_store_refuses_new_work_and_loses_none_that_it_has(
    around: World, admin: "blocking.Redis", password_file: Path
) -> None:
    order = uuid.uuid4().hex
    with serving_agent(around.document, **around.environment(password_file)) as agent:
        task_id = begin(agent.url, f"slow {order}")
        eventually(in_the_model(around), "the model to be asked")
        admin.config_set("maxmemory", 1)
        refused = asked(agent.url, "do more")
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert around.effects.done[order] == 0, "no journal, no effect"
        admin.config_set("maxmemory", "256mb")
        found = settled(agent.url, task_id)
        assert settled(agent.url, begin(agent.url, f"do {order}2"))["state"] == "completed"
    assert (found["state"], found["attempt"]) == ("completed", 1)
    assert around.effects.done[order] == 1


def test_a_store_that_stands_still_for_longer_than_a_lease_costs_no_attempt(
    around: World, admin: "blocking.Redis", password_file: Path
) -> None:
    order = uuid.uuid4().hex
    with serving_agent(around.document, **around.environment(password_file)) as agent:
        task_id = begin(agent.url, f"slow {order}")
        eventually(in_the_model(around), "the model to be asked")
        admin.client_pause(2000, all=True)
        found = settled(agent.url, task_id)
    assert (found["state"], found["attempt"]) == ("completed", 1)
    assert around.effects.done[order] == 1


def test_after_a_store_came_back_with_nothing_new_work_is_done(
    around: World, store: Workload, password_file: Path, tmp_path: Path
) -> None:
    """As with a store that keeps no file: what it held is gone, and nothing hangs on that."""
    order = uuid.uuid4().hex
    with serving_agent(around.document, **around.environment(password_file)) as agent:
        lost = begin(agent.url, f"slow {order}")
        eventually(in_the_model(around), "the model to be asked")
        store.kill()
        arguments = ("--password-file", password_file, "--data", tmp_path / "empty")
        with workload("session_store", *arguments, at=store.port):

            def accepted() -> str | None:
                answer = asked(agent.url, f"do {order}2")
                return str(answer.json()["id"]) if answer.status_code == 202 else None

            again = eventually(accepted, "the new store to be used")
            assert settled(agent.url, again)["state"] == "completed"
            gone = httpx.get(f"{agent.url}/v1/tasks/{lost}", headers=TENANT, trust_env=False)
            assert gone.status_code == 404
            eventually(
                lambda: agent.metric("agent_active_sessions", agent=around.name) == 0 or None,
                "the lost run to be let go",
            )
    assert around.effects.done[order] == 0, "a run that is gone has no effect"


@pytest.mark.slow
def test_a_worker_leaves_in_time_although_neither_store_nor_model_nor_reader_moves(
    around: World, store: Workload, password_file: Path, tmp_path: Path
) -> None:
    document = tmp_path / "agent.yaml"
    document.write_text(around.document)
    nowhere = f"http://127.0.0.1:{free_port()}/v1/traces"
    env = around.environment(password_file, drain_seconds="4", otlp_endpoint=nowhere)
    with agent_process(document, **env) as leaving:
        task_id = begin(leaving.url, f"stuck {uuid.uuid4().hex}")
        eventually(lambda: around.model.played("stuck") or None, "the model to be asked")
        reading = threading.Thread(target=_read, args=(leaving.url, task_id), daemon=True)
        reading.start()
        store.process.send_signal(signal.SIGSTOP)
        try:
            leaving.process.send_signal(signal.SIGTERM)
            # what waits for the store on the way out would wait for at least as long
            leaving.process.wait(20)
        finally:
            store.process.send_signal(signal.SIGCONT)
        assert leaving.process.returncode == 0, leaving.lines[-5:]
        reading.join(30)
    with serving_agent(around.document, **around.environment(password_file)) as other:
        begun = around.model.played("stuck")
        eventually(
            lambda: around.model.played("stuck") > begun or None, "another worker to take the run"
        )
        canceled = httpx.post(
            f"{other.url}/v1/tasks/{task_id}/cancel", headers=TENANT, trust_env=False, timeout=30
        )
        assert canceled.json()["state"] == "canceled"


def _read(url: str, task_id: str) -> None:
    path = f"{url}/v1/tasks/{task_id}/events"
    try:
        httpx.get(path, headers=TENANT, trust_env=False, timeout=60)
    except httpx.TransportError:
        return
