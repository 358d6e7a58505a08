"""The command `bootstrap-milvus` as a fixture, and which of the two stores a test is for."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent_runtime.__main__ import main

if TYPE_CHECKING:
    from tests.harness.milvus_server import VectorStore

Bootstrap = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def bootstrap(
    vector_store: "VectorStore",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Bootstrap:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    if vector_store.is_server:
        (secrets / "root").write_text(vector_store.root_password)

    def go(plan: Any, url: str = vector_store.url, *more: str) -> tuple[int, dict[str, Any], str]:
        for name, value in vector_store.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AGENT_MILVUS_URL", url)
        monkeypatch.setenv("AGENT_SECRETS_DIR", str(secrets))
        if vector_store.is_server:
            plan = {"authentication": True, **plan}
        path = tmp_path / "plan.json"
        path.write_text(plan if isinstance(plan, str) else json.dumps(plan))
        status = main(["bootstrap-milvus", "--plan", str(path), "--json", *more])
        said = capsys.readouterr()
        return status, json.loads(said.out) if said.out else {}, said.err

    return go


PASSWORD = "a-Password-1"
ONLY_LITE = pytest.mark.parametrize("vector_store", ["lite"], indirect=True)
ONLY_SERVER = pytest.mark.parametrize(
    "vector_store", [pytest.param("server", marks=pytest.mark.slow)], indirect=True
)


def database() -> str:
    return f"tenant_{uuid.uuid4().hex[:8]}"
