"""One platform for the whole tier, brought up by the command a person types."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.harness.platform import CHECKOUT, Platform

SCRIPT = "agents/samples/scripted-model.yaml"


def with_scripted_models(data: Any) -> Any:
    """The stack data with scripted models in place of llama.cpp: replies repeat exactly."""
    if isinstance(data, list):
        return [with_scripted_models(item) for item in data]
    if not isinstance(data, dict):
        return data
    if data.get("engine") == "llama-cpp":
        kept = {key: data[key] for key in ("servedNames", "replicas", "model") if key in data}
        return kept | {"engine": "scripted", "script": SCRIPT}
    return {key: with_scripted_models(value) for key, value in data.items()}


def scripted_stack_file(folder: Path) -> Path:
    """Pulumi.local.yaml with scripted models, as a file of its own."""
    document = yaml.safe_load((CHECKOUT / "Pulumi.local.yaml").read_text())
    target = folder / "Pulumi.local.yaml"
    target.write_text(yaml.safe_dump(with_scripted_models(document), sort_keys=False))
    return target


def small_stack_file(folder: Path) -> Path:
    """Only what every stack has: gateway and stores, without models, agents and their services."""
    file = scripted_stack_file(folder)
    document = yaml.safe_load(file.read_text())
    document["config"]["agentic-platform:platform"] |= {
        "agents": [],
        "modelServers": {},
        "samples": None,
        "metrics": {"variant": "none"},
    }
    document["config"]["agentic-platform:platform"]["gateway"]["models"] = []
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return file


@contextmanager
def _ended(platform: Platform) -> Iterator[Platform]:
    """Leaves no process of the platform behind, whatever a test did."""
    try:
        yield platform
    finally:
        platform.run("down", "--delete-state")
        left = platform.processes()
        assert not left, f"still running after down: {left}"


@pytest.fixture(scope="package")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A running platform with scripted models; stopped afterwards even when a test failed."""
    folder = tmp_path_factory.mktemp("platform")
    with _ended(Platform(folder / "state", scripted_stack_file(folder))) as running:
        running.first_up = running.up()
        yield running


@pytest.fixture
def small_platform(tmp_path: Path) -> Iterator[Platform]:
    """A second platform, of few parts, that a test starts and ends itself."""
    with _ended(Platform(tmp_path / "state", small_stack_file(tmp_path))) as mine:
        yield mine


@pytest.fixture
def fresh_platform(tmp_path: Path) -> Iterator[Platform]:
    """A platform that a test starts, breaks and heals itself; stopped afterwards."""
    with _ended(Platform(tmp_path / "state", scripted_stack_file(tmp_path))) as mine:
        yield mine
