"""What a start leaves for later is there when it is used."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from agent_runtime.loading import PackagesOnDemand, on_demand
from local.paths import CHECKOUT

pytestmark = pytest.mark.unit


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package that notes when it runs, with a module below it."""
    folder = tmp_path / "heavy_package"
    folder.mkdir()
    (folder / "light.py").write_text("word = 'light'\n")
    (folder / "__init__.py").write_text("from heavy_package.light import word\nran = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(
        sys, "meta_path", [PackagesOnDemand(frozenset({folder.name})), *sys.meta_path]
    )
    for name in (folder.name, f"{folder.name}.light"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return folder.name


def test_a_module_is_imported_without_its_package_running(package: str) -> None:
    light = importlib.import_module(f"{package}.light")
    assert light.word == "light"
    assert "ran" not in vars(sys.modules[package])


def test_a_package_runs_once_somebody_asks_it_for_a_name(package: str) -> None:
    heavy = importlib.import_module(package)
    assert heavy.word == "light"
    vars(heavy)["ran"] = 2
    assert heavy.ran == 2
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        _ = heavy.missing
    assert heavy.ran == 2


def test_models_made_within_are_built_when_they_are_used_and_others_at_once() -> None:
    with on_demand():

        class Within(BaseModel):
            number: int

    class Outside(BaseModel):
        number: int

    assert not Within.__pydantic_complete__
    assert Outside.__pydantic_complete__
    assert Within.model_validate({"number": "7"}).number == 7


STARTED = """
import sys
import agents
agents.described = False
from agent_runtime.loading import on_demand
with on_demand():
    import agent_runtime.server
assert "get_client" not in vars(sys.modules["langgraph_sdk"])
assert "Dataset" not in vars(sys.modules["langsmith.types"])
import langsmith.types
from langgraph_sdk import Auth, get_client
from langsmith.schemas import Dataset
assert Auth.__module__ == "langgraph_sdk.auth"
assert langsmith.types.Dataset.__module__ == "langsmith.types.dataset"
assert Dataset.model_fields and not Dataset.__pydantic_complete__
from agents.model import Metadata
assert Metadata(name="a").namespace == "ai-agents"
"""


def test_a_server_leaves_the_clients_of_servers_that_are_not_there_for_later() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", STARTED],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
