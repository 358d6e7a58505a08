"""Loading documents again and again: nothing twice, nothing stale, nothing lost."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent_runtime.__main__ import main
from agent_runtime.agent import retry
from agent_runtime.memory.long_term import collection_name
from tests.harness.milvus_server import VectorStore
from tests.harness.scripted_model import RunningModel, scripted_model
from tests.harness.workload import free_port

pytestmark = pytest.mark.services

RULES = [{"name": "any", "reply": {"text": "x"}}]


@pytest.fixture(scope="module")
def model() -> Iterator[RunningModel]:
    with scripted_model(RULES) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "documents"
    made.mkdir()
    (made / "guide.md").write_text("# Guide\n\nStart here.\n\n## Linux\n\nUse apt.\n")
    (made / "page.html").write_text("<title>Page</title><h1>Refunds</h1><p>Within ten days.</p>")
    (made / "prices.csv").write_text("product,price\nLamp,12\nDesk,99\n")
    return made


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait as they do, only less."""
    monkeypatch.setattr(retry, "BASE_SECONDS", 0.01)


class Loader:
    """Runs the command in this process and reads what it says."""

    def __init__(
        self,
        collection: str,
        store: VectorStore,
        capsys: pytest.CaptureFixture[str],
        model: RunningModel,
    ) -> None:
        self._base = ["ingest", "--collection", collection, "--tenant", "acme", "--json"]
        self._capsys = capsys
        self._name = collection_name(collection)
        self._store = store
        self.model = model

    def __call__(self, *arguments: object, status: int = 0) -> dict[str, Any]:
        assert main([*self._base, *map(str, arguments)]) == status
        said = self._capsys.readouterr()
        # the scripted model runs in this process too and logs to the same output
        reports = [line for line in said.out.splitlines() if line.startswith('{"collection"')]
        report: dict[str, Any] = json.loads(reports[0]) if reports else {}
        return report | {"said": said.err}

    def stored(self) -> list[dict[str, Any]]:
        with closing(self._store.client()) as client:
            return list(
                client.query(
                    self._name,
                    filter="tenant_id == 'acme'",
                    output_fields=["content", "metadata"],
                    limit=1000,
                    consistency_level="Strong",
                )
            )

    def documents(self) -> set[str]:
        return {row["metadata"]["document"] for row in self.stored()}


@pytest.fixture
def load(
    collection: str,
    vector_store: VectorStore,
    model: RunningModel,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Loader:
    monkeypatch.setenv("AGENT_MODEL_BASE_URL", model.base_url)
    for name, value in vector_store.environment().items():
        monkeypatch.setenv(name, value)
    return Loader(collection, vector_store, capsys, model)


def test_every_kind_of_file_is_loaded_once(load: Loader, folder: Path) -> None:
    first = load(folder)
    assert (first["documents"], first["passages"], first["embedded"]) == (3, 4, 4)
    again = load(folder)
    assert (again["documents"], again["passages"], again["embedded"]) == (3, 4, 0)
    contents = {row["content"] for row in load.stored()}
    assert "product: Lamp; price: 12\n\nproduct: Desk; price: 99" in contents
    about = {row["metadata"]["section"] for row in load.stored()}
    assert about == {"Guide", "Guide > Linux", "Refunds", ""}


def test_what_a_document_no_longer_says_is_gone(load: Loader, folder: Path) -> None:
    load(folder)
    (folder / "guide.md").write_text("# Guide\n\nStart here.\n\n## Linux\n\nUse dnf.\n")
    report = load(folder)
    assert (report["embedded"], report["removed"]) == (1, 1)
    contents = " ".join(row["content"] for row in load.stored())
    assert "Use dnf." in contents
    assert "Use apt." not in contents


@pytest.mark.slow
def test_a_document_that_is_gone_stays_until_it_is_pruned(load: Loader, folder: Path) -> None:
    load(folder, "--origin", "handbook")
    (folder / "page.html").unlink()
    load(folder, "--origin", "handbook")
    assert "page.html" in load.documents()
    load(folder, "--origin", "another", "--prune")
    assert "page.html" in load.documents(), "another origin's documents are none of its business"
    load(folder, "--origin", "handbook")
    report = load(folder, "--origin", "handbook", "--prune")
    assert load.documents() == {"guide.md", "prices.csv"}
    assert report["removed"] == 1


@pytest.mark.slow
def test_nothing_is_pruned_while_a_file_is_unreadable(load: Loader, folder: Path) -> None:
    load(folder)
    (folder / "page.html").unlink()
    (folder / "guide.md").write_bytes(b"\xff\xff")
    report = load(folder, "--prune", status=2)
    assert load.documents() == {"guide.md", "page.html", "prices.csv"}
    assert report["documents"] == 1
    assert len(report["failed"]) == 1
    assert "guide.md: is not UTF-8 text" in report["said"]


@pytest.mark.slow
def test_two_files_that_claim_one_source_are_named(load: Loader, folder: Path) -> None:
    for name in ("a.md", "b.md"):
        (folder / name).write_text(f"---\nsource: https://x/y\n---\ntext of {name}\n")
    report = load(folder, status=2)
    (line,) = report["failed"]
    assert "b.md: source 'https://x/y' is that of" in line
    assert "a.md" in line
    assert report["documents"] == 4


def test_a_store_that_is_down_is_one_line(
    load: Loader, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_MILVUS_URL", f"http://127.0.0.1:{free_port()}")
    said = load(folder, status=2)["said"]
    assert said == "vector store: UNAVAILABLE\n"


def test_a_model_that_is_down_is_one_line_and_the_next_run_goes_on(
    load: Loader, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setenv("AGENT_MODEL_BASE_URL", f"http://127.0.0.1:{free_port()}/v1")
        said = load(folder, status=2)["said"]
    assert "does not answer: connection failed" in said
    assert said.count("\n") == 1
    assert load(folder)["embedded"] == 4


@pytest.mark.slow
def test_a_long_table_is_loaded_in_batches_and_shows_how_far_it_is(
    load: Loader, tmp_path: Path, collection: str
) -> None:
    rows = "".join(
        f"{number},the description of product {number} {'x' * 60}\n" for number in range(6000)
    )
    path = tmp_path / "products.csv"
    path.write_text("number,description\n" + rows)
    load._base.remove("--json")
    said = load(path)["said"].splitlines()
    percents = [line.split(" %")[0] for line in said if " %, " in line]
    assert percents[-1] == "100"
    assert len(percents) <= 6
    assert said[-1].startswith("1 documents, ")
