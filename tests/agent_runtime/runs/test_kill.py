"""A worker is killed wherever something was just about to be, or had just been, kept."""

import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from agent_runtime.runs.faults import POINTS
from tests.agent_runtime.runs.effects import World, approve, begin, settled, task, world
from tests.harness.agent import RunningAgent, serving_agent
from tests.harness.agent_process import agent_process
from tests.harness.scripted_model import scripted_model
from tests.harness.workload import Workload, eventually

pytestmark = [pytest.mark.services, pytest.mark.slow]

POD_GRACE_SECONDS = 30
UNKNOWN = ("tool.marked", "tool.called")
"""After these nobody can know whether the tool did what it was asked to do."""


@pytest.fixture(scope="module")
def around(valkey: Workload) -> Iterator[World]:
    with world(f"killed-{uuid.uuid4().hex[:6]}", valkey.port) as running:
        yield running


@pytest.fixture
def document(around: World, tmp_path: Path) -> Path:
    path = tmp_path / "agent.yaml"
    path.write_text(around.document)
    return path


@contextmanager
def survivor(around: World, password_file: Path) -> Iterator[RunningAgent]:
    with serving_agent(around.document, **around.environment(password_file)) as running:
        yield running


@pytest.mark.parametrize("point", POINTS)
def test_a_run_survives_its_worker_and_has_its_effect_once(
    point: str, around: World, document: Path, password_file: Path
) -> None:
    order = uuid.uuid4().hex
    text = f"sign {order}" if point.startswith("wait") else f"do {order}"
    # the first call of a tool in "do" only reads, and is not marked
    nth = ":2" if point in ("tool.called", "tool.recorded") and text.startswith("do") else ""
    env = around.environment(password_file, development="true", fault=point + nth)
    task_id = ""
    with agent_process(document, **env) as victim:
        with suppress(httpx.TransportError):  # it may die before it can answer
            task_id = begin(victim.url, text, key=order)
        victim.process.wait(30)
        assert victim.process.returncode == -signal.SIGKILL, victim.lines[-5:]
    with survivor(around, password_file) as other:
        # a caller who got no answer asks again with the same key
        again = begin(other.url, text, key=order)
        assert task_id in ("", again), "the same key is the same task"
        found = settled(other.url, again)
        if found["state"] == "waiting_input":
            assert point in UNKNOWN or point.startswith("wait")
            assert around.effects.done[order] <= 1
            approve(other.url, found, "reject" if around.effects.done[order] else "approve")
            found = settled(other.url, again)
        assert found["state"] == "completed", found
    assert around.effects.done[order] == 1


def test_a_worker_that_was_stopped_past_its_lease_changes_nothing(
    around: World, document: Path, password_file: Path
) -> None:
    order, before = uuid.uuid4().hex, around.model.played("slow")
    with agent_process(document, **around.environment(password_file)) as stopped:
        task_id = begin(stopped.url, f"slow {order}")
        eventually(lambda: around.model.played("slow") > before or None, "the model to be asked")
        stopped.process.send_signal(signal.SIGSTOP)
        try:
            with survivor(around, password_file) as other:
                found = settled(other.url, task_id)
        finally:
            stopped.process.send_signal(signal.SIGCONT)
        assert found["state"] == "completed"
        eventually(
            lambda: any("run lost" in line for line in stopped.lines) or None,
            "the stopped worker to see that it lost the run",
        )
        assert task(stopped.url, task_id) == found
    assert around.effects.done[order] == 1, "the stale worker must not call the tool"


def test_a_stopping_worker_hands_its_run_back_at_once(
    around: World, document: Path, password_file: Path
) -> None:
    order, before = uuid.uuid4().hex, around.model.played("slow")
    env = around.environment(password_file, lease_seconds="60", drain_seconds="3")
    with agent_process(document, **env) as leaving:
        task_id = begin(leaving.url, f"slow {order}")
        eventually(lambda: around.model.played("slow") > before or None, "the model to be asked")
        leaving.process.send_signal(signal.SIGTERM)
        leaving.process.wait(30)
        assert leaving.process.returncode == 0, leaving.lines[-5:]
    with survivor(around, password_file) as other:
        found = settled(other.url, task_id)
    assert found["state"] == "completed"
    assert found["attempt"] == 1, "being handed back costs no attempt"
    assert around.effects.done[order] == 1


def test_a_long_answer_is_cut_off_within_the_grace_of_a_pod_and_begun_elsewhere(
    around: World, document: Path, password_file: Path
) -> None:
    """With the settings that a Pod has: 28 s for leaving, of the 30 s until it is killed."""
    order = uuid.uuid4().hex
    reply = {"text": "word " * 400, "chunkDelaySeconds": 0.5}
    with scripted_model([{"name": "long", "reply": reply}]) as talkative:
        env = around.environment(password_file, model_base_url=talkative.base_url)
        with agent_process(document, **env) as leaving:
            task_id = begin(leaving.url, f"do {order}", session=order)
            following = begin(leaving.url, f"do {order}2", session=order)
            eventually(lambda: talkative.played("long") or None, "the model to be asked")
            leaving.process.send_signal(signal.SIGTERM)
            leaving.process.wait(POD_GRACE_SECONDS)
            assert leaving.process.returncode == 0, leaving.lines[-5:]
        assert talkative.played("long") == 1, "nothing new is begun while it leaves"
    with survivor(around, password_file) as other:
        found = [settled(other.url, each) for each in (task_id, following)]
    assert [each["state"] for each in found] == ["completed", "completed"]
    assert [each["attempt"] for each in found] == [1, 1]
    assert (around.effects.done[order], around.effects.done[f"{order}2"]) == (1, 1)


def test_a_run_that_kills_its_workers_is_given_up_and_frees_its_session(
    around: World, document: Path, password_file: Path
) -> None:
    order = uuid.uuid4().hex
    env = around.environment(password_file, max_attempts="1")
    with agent_process(document, **env, development="true", fault="run.claimed") as victim:
        task_id = begin(victim.url, f"do {order}", session=order)
        victim.process.wait(30)
    with serving_agent(around.document, **env) as other:
        found = settled(other.url, task_id)
        following = begin(other.url, f"do {order}", session=found["session_id"])
        assert settled(other.url, following)["state"] == "completed", "the session is free"
    assert found["state"] == "failed"
    assert found["error"]["code"] == "attempts_exhausted"
    assert around.effects.done[order] == 1
