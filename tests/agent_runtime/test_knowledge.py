"""Ingestion and retrieval on a real Milvus server: sources, tenants, outages."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymilvus import DataType, MilvusClient

from agent_runtime.knowledge import command
from agent_runtime.knowledge.command import IngestOptions, collections
from agent_runtime.memory.long_term import collection_name
from agent_runtime.memory.milvus_schema import index_params
from agent_runtime.settings import Settings
from tests.harness.agent import serving_agent
from tests.harness.scripted_model import RunningModel, scripted_model
from tests.harness.workload import Workload, free_port

pytestmark = pytest.mark.services

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: librarian}
spec:
  model: {name: scripted}
  tools:
    - {name: search, type: retrieval, config: {collection: %s, topK: 2}}
"""
RULES = [
    {
        "name": "searches",
        "when": {"after": "none"},
        "reply": {"toolCalls": [{"name": "search", "arguments": {"query": "${user}"}}]},
    },
    {
        "name": "answers",
        "when": {"after": "search"},
        "reply": {"text": "${tool.result.results.0.title|nothing found}"},
    },
]
PASSWORDS = """---
title: Resetting a password
source: https://docs.example/passwords
language: en
---
# Passwords
To reset a forgotten password open the login page and choose reset password.
"""
REFUNDS = "# Refunds\n\nA refund is paid within ten days after the goods came back.\n"


async def ingest(settings: Settings, collection: str, tenant: str, paths: list[Path]) -> int:
    return await command.ingest(settings, IngestOptions(collection, tenant, paths))


@pytest.fixture(scope="module")
def model() -> Iterator[RunningModel]:
    with scripted_model(RULES) as running:
        yield running


@pytest.fixture
def settings(model: RunningModel, milvus: Workload) -> Settings:
    return Settings(model_base_url=model.base_url, milvus_url=milvus.url)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    (folder / "..data").mkdir(parents=True)
    (folder / "passwords.md").write_text(PASSWORDS)
    (folder / "refunds.md").write_text(REFUNDS)
    (folder / "..data" / "passwords.md").write_text(PASSWORDS)
    return folder


def ask(url: str, text: str, *, tenant: str, **headers: str) -> dict[str, Any]:
    body = {"model": "librarian", "messages": [{"role": "user", "content": text}]}
    answer = httpx.post(
        f"{url}/chat/completions", json=body, headers={"x-tenant-id": tenant} | headers, timeout=60
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_an_answer_names_the_document_it_rests_on(
    settings: Settings, documents: Path, collection: str, model: RunningModel, milvus: Workload
) -> None:
    assert await ingest(settings, collection, "acme", [documents]) == 0
    trace = "0af7651916cd43dd8448eb211c80319c"
    with serving_agent(
        AGENT % collection, model_base_url=model.base_url, milvus_url=milvus.url
    ) as agent:
        answer = ask(
            agent.base_url,
            "reset a forgotten password",
            tenant="acme",
            traceparent=f"00-{trace}-00f067aa0ba902b7-01",
        )
    assert answer["choices"][0]["message"]["content"] == "Resetting a password"
    best = answer["agentic"]["sources"][0]
    assert best["document"] == "https://docs.example/passwords"
    assert best["collection"] == collection
    assert 0 < best["score"] <= 1.0001
    scores = [source["score"] for source in answer["agentic"]["sources"]]
    assert scores == sorted(scores, reverse=True)
    searches = [line for line in milvus.lines if trace in line and "Search" in line]
    assert searches, "the vector store must see the trace id"


async def test_another_tenants_documents_are_never_found(
    settings: Settings, documents: Path, collection: str, model: RunningModel, milvus: Workload
) -> None:
    assert await ingest(settings, collection, "acme", [documents]) == 0
    with serving_agent(
        AGENT % collection, model_base_url=model.base_url, milvus_url=milvus.url
    ) as agent:
        hostile = 'password" || tenant_id == "acme" || "" == "'
        for text in ("reset a forgotten password", hostile):
            answer = ask(agent.base_url, text, tenant="rival")
            assert answer["agentic"]["sources"] == []
            assert answer["choices"][0]["message"]["content"] == "nothing found"


async def test_ingesting_again_adds_nothing(
    settings: Settings, documents: Path, collection: str, milvus: Workload
) -> None:
    for _ in range(2):
        assert await ingest(settings, collection, "acme", [documents]) == 0
    with closing(MilvusClient(uri=milvus.url)) as client:
        found = client.query(
            collection_name(collection),
            filter="tenant_id == 'acme'",
            output_fields=["id", "metadata"],
        )
    assert len({row["id"] for row in found}) == len(found) == 2


async def test_a_collection_has_the_architectures_shape(
    settings: Settings, documents: Path, collection: str, milvus: Workload
) -> None:
    await ingest(settings, collection, "acme", [documents])
    name = collection_name(collection)
    with closing(MilvusClient(uri=milvus.url)) as client:
        described = client.describe_collection(name)
        index = client.describe_index(name, "embedding")
        (wanted,) = index_params(client)
    fields = {field["name"]: field for field in described["fields"]}
    shape = {name: (field["type"], field["params"]) for name, field in fields.items()}
    assert shape == {
        "id": (DataType.VARCHAR, {"max_length": 64}),
        "content": (DataType.VARCHAR, {"max_length": 65535}),
        "embedding": (DataType.FLOAT_VECTOR, {"dim": 1536}),
        "metadata": (DataType.JSON, {}),
        "tenant_id": (DataType.VARCHAR, {"max_length": 64}),
    }
    assert fields["id"]["is_primary"]
    assert fields["tenant_id"]["is_partition_key"]
    assert (index["index_type"], index["metric_type"]) == ("HNSW", "COSINE")
    # Milvus Lite does not tell M and efConstruction back, so what it is asked for is looked at
    asked = wanted.to_dict()
    assert (asked["field_name"], asked["M"], asked["efConstruction"]) == ("embedding", 16, 256)


def test_a_store_that_is_down_is_told_to_the_model_and_the_caller(model: RunningModel) -> None:
    with serving_agent(
        AGENT % "support-docs",
        model_base_url=model.base_url,
        milvus_url=f"http://127.0.0.1:{free_port()}",
    ) as agent:
        answer = ask(agent.base_url, "anything", tenant="acme")
    assert answer["agentic"]["degraded"] == ["retrieval:search"]
    told = model.requests[-1]["body"]["messages"][-1]["content"]
    assert "does not mean that nothing was found" in told


async def test_what_cannot_be_loaded_is_named_and_the_rest_is_loaded(
    settings: Settings,
    documents: Path,
    collection: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (documents / "broken.txt").write_bytes(b"\xff\xfe\x00binary")
    assert await ingest(settings, collection, "acme", [documents]) == 2
    said = capsys.readouterr().err
    assert "broken.txt: is not UTF-8 text" in said
    assert "2 documents, 2 passages" in said


async def test_a_missing_folder_and_a_bad_tenant_are_one_line(
    settings: Settings, collection: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await ingest(settings, collection, "acme", [tmp_path / "none"]) == 2
    assert await ingest(settings, collection, "a' or 1", [tmp_path]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("there is no such file or folder")
    assert lines[1].startswith('--tenant "a\' or 1"')


async def test_collections_are_made_once_and_listed_with_their_passages(
    settings: Settings,
    documents: Path,
    collection: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = collection_name(collection)
    assert await collections(settings, [collection]) == 0
    assert f"{name}\t0" in capsys.readouterr().out.splitlines()
    await ingest(settings, collection, "acme", [documents])
    assert await collections(settings, [collection]) == 0
    assert f"{name}\t2" in capsys.readouterr().out.splitlines()
    assert await collections(settings, ["no spaces"]) == 2
