"""A worker falls silent wherever something is kept, another one ends its run, and it comes back."""

import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent_runtime.runs.faults import POINTS
from tests.agent_runtime.runs.effects import World, approve, begin, settled, task, world
from tests.agent_runtime.runs.freezing import Freezer, serving
from tests.harness.workload import Workload

pytestmark = pytest.mark.services

UNKNOWN = ("tool.marked", "tool.called")
"""After these nobody can know whether the tool did what it was asked to do."""
FEW = ("submit.after", "tool.called")
"""Enough to see within seconds that the proof still works."""
SIDE_BY_SIDE = 4
"""Most of a proof is waiting for a lease to lapse."""


@pytest.fixture
def freezer(monkeypatch: pytest.MonkeyPatch) -> Freezer:
    return Freezer(monkeypatch)


@pytest.fixture(scope="module")
def around(valkey: Workload) -> Iterator[World]:
    with world(f"frozen-{uuid.uuid4().hex[:6]}", valkey.port) as running:
        yield running


@pytest.mark.parametrize(
    "points", [FEW, pytest.param(sorted(set(POINTS) - set(FEW)), marks=pytest.mark.slow)]
)
def test_whoever_falls_silent_at_a_commit_point_is_replaced_and_changes_nothing_when_it_revives(
    around: World, freezer: Freezer, password_file: Path, points: Sequence[str]
) -> None:
    env = around.environment(password_file)
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        proofs = {each: pool.submit(_replaced, around, freezer, env, each) for each in points}
    for point, proof in proofs.items():
        if error := proof.exception():
            error.add_note(f"at {point}")
            raise error


def _replaced(around: World, freezer: Freezer, env: dict[str, str], point: str) -> None:
    order = uuid.uuid4().hex
    verb = "sign" if point.startswith("wait") else "do"
    # the first call of a tool in "do" only reads, and is not marked
    nth = ":2" if point in ("tool.called", "tool.recorded") else ""
    name, text = f"{around.name}-{point.replace('.', '-')}", f"{verb} {order}"
    with freezer.begun(around, name, point + nth, text, **env) as frozen:
        with serving(around.named(name), **env, queue=name) as other:
            again = begin(other.url, text, key=order)
            found = settled(other.url, again)
            if found["state"] == "waiting_input":
                assert point in UNKNOWN or verb == "sign"
                approve(other.url, found, "reject" if around.effects.done[order] else "approve")
                found = settled(other.url, again)
            assert found["state"] == "completed", found
        assert frozen.revive() == again, "the same key is the same task"
        assert task(frozen.agent.url, again) == found
    assert around.effects.done[order] == 1
