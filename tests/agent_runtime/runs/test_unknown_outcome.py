"""What becomes of calls whose worker was lost between the call and its record."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from agent_runtime.agent.tool_step import UNKNOWN_RESULT
from tests.agent_runtime.runs.effects import EVERY, TENANT, World, approve, begin, settled, world
from tests.agent_runtime.runs.freezing import Freezer, serving
from tests.harness.workload import Workload

pytestmark = pytest.mark.services


@pytest.fixture
def around(valkey: Workload) -> Iterator[World]:
    with world(f"unknown-{uuid.uuid4().hex[:6]}", valkey.port) as running:
        yield running


@pytest.fixture
def freezer(monkeypatch: pytest.MonkeyPatch) -> Freezer:
    return Freezer(monkeypatch)


def test_each_tools_author_says_what_becomes_of_a_call_of_unknown_outcome(
    around: World, freezer: Freezer, password_file: Path
) -> None:
    order, effects = uuid.uuid4().hex, around.effects
    effects.together[order] = len(EVERY)
    env, text = around.environment(password_file), f"all {order}"
    with (
        freezer.begun(around, around.name, "tool.called", text, **env),
        serving(around.document, **env, queue=around.name) as other,
    ):
        found = settled(other.url, begin(other.url, text, key=order))
        assert found["state"] == "waiting_input"
        assert [each["tool"] for each in found["approvals"]] == ["book"], "asked by default"
        again = {"look": 2, "renew": 2, "insist": 2, "once": 1, "book": 1}
        assert effects.calls(order) == again
        for tool in ("look", "renew", "insist"):
            first, second = effects.keys[tool, order]
            assert first == second
            assert first.startswith(f"{found['id']}:"), "a service can tell the repetition"
        approve(other.url, found, "reject")
        ended = settled(other.url, found["id"])
        assert ended["state"] == "completed"
        assert effects.calls(order) == again, "what was done is not done again after the decision"
        events = httpx.get(
            f"{other.url}/v1/tasks/{found['id']}/events",
            headers=TENANT,
            trust_env=False,
            timeout=30,
        ).text
    assert "event: step.restarted" in events
    told = [
        each["content"]
        for each in around.model.requests[-1]["body"]["messages"]
        if each["role"] == "tool"
    ]
    assert len(told) == len(EVERY)
    assert sum(UNKNOWN_RESULT in each for each in told) == 2, "of the failed and the rejected call"


def test_only_the_unfinished_ones_of_parallel_calls_are_made_again(
    around: World, freezer: Freezer, password_file: Path
) -> None:
    order = uuid.uuid4().hex
    env, text = around.environment(password_file), f"two {order}"
    around.effects.together[order] = 2
    with (
        freezer.begun(around, around.name, "tool.recorded", text, **env),
        serving(around.document, **env, queue=around.name) as other,
    ):
        found = settled(other.url, begin(other.url, text, key=order))
    assert found["state"] == "completed"
    assert around.effects.calls(order) == {"book": 1, "late": 2}
