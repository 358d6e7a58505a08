"""`make preview`: what a stack would make, without cloud, credentials or a running platform."""

import json
from pathlib import Path

import pytest

from tests.harness.platform import CHECKOUT, Platform

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture
def nowhere(tmp_path: Path) -> Platform:
    """No platform runs; its state folder shows whether a preview wrote there."""
    return Platform(tmp_path / "state", tmp_path / "none")


@pytest.mark.parametrize(
    "stack", ["tenant-a", pytest.param("prod", marks=pytest.mark.slow, id="prod")]
)
def test_a_preview_needs_nothing_and_leaves_nothing(
    nowhere: Platform, stack: str, tmp_path: Path
) -> None:
    file = CHECKOUT / f"Pulumi.{stack}.yaml"
    before = file.read_bytes()
    page = tmp_path / "page.md"
    policy = ["--policy"] if stack == "prod" else []
    done = nowhere.run("preview", "--stack", stack, "--json", "--markdown", str(page), *policy)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert told["stack"] == stack
    assert told["ok"]
    assert told["checks"].get("checked", 0) + told["checks"].get("schema", 0) > 0
    assert "refused" not in told["checks"]
    assert told["violations"] == []
    assert stack in page.read_text()
    assert file.read_bytes() == before
    assert not nowhere.state.exists(), "a preview has a state of its own"
    assert nowhere.processes() == []


def test_a_preview_of_an_unknown_stack_names_the_known_ones(nowhere: Platform) -> None:
    done = nowhere.run("preview", "--stack", "prodd")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "prodd" in line
    assert "tenant-a" in line
