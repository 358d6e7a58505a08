"""Milvus Lite as the launcher runs it: traced calls, collections loaded after a restart."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pymilvus import DataType, MilvusClient

from tests.harness.workload import Workload, eventually, workload

pytestmark = pytest.mark.services

TRACE = "0af7651916cd43dd8448eb211c80319c"


@contextmanager
def connected(store: Workload) -> Iterator[MilvusClient]:
    client = MilvusClient(uri=store.url)
    yield client
    client.close()


def fill(client: MilvusClient) -> None:
    schema = client.create_schema()
    schema.add_field("id", DataType.VARCHAR, max_length=64, is_primary=True)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=4)
    schema.add_field("tenant_id", DataType.VARCHAR, max_length=64, is_partition_key=True)
    index = client.prepare_index_params()
    index.add_index(
        "embedding",
        index_type="HNSW",
        metric_type="COSINE",
        params={"M": 16, "efConstruction": 256},
    )
    client.create_collection("support_docs", schema=schema, index_params=index)
    rows = [
        {"id": f"{tenant}-{n}", "embedding": [1.0, n / 10, 0.0, 0.0], "tenant_id": tenant}
        for tenant in ("demo", "other")
        for n in range(5)
    ]
    client.upsert("support_docs", rows)


def search(client: MilvusClient, **more: str) -> list[str]:
    found = client.search(
        "support_docs",
        data=[[1.0, 0.0, 0.0, 0.0]],
        filter='tenant_id == "demo"',
        limit=3,
        output_fields=["tenant_id"],
        **more,
    )
    return [hit["id"] for hit in found[0]]


def test_a_search_is_found_by_its_trace_and_works_after_a_kill(tmp_path: Path) -> None:
    with workload("vector_store", "--data-dir", tmp_path / "milvus") as store:
        with connected(store) as client:
            fill(client)
            assert search(client, client_request_id=TRACE) == ["demo-0", "demo-1", "demo-2"]
            lines = eventually(
                lambda: [e for e in store.events("call") if e["method"] == "Search"] or None,
                "the line of the search",
            )
        assert lines[0]["trace_id"] == TRACE
        assert store.events("library") == [], "what Milvus Lite lacks must not look like a crash"
        assert (lines[0]["collection"], lines[0]["hits"]) == ("support_docs", 3)
        store.kill()
    with workload("vector_store", "--data-dir", tmp_path / "milvus") as store:
        with connected(store) as client:
            assert search(client) == ["demo-0", "demo-1", "demo-2"]
        assert store.events("listening")[0]["loaded"] == ["default/support_docs"]


def test_a_folder_in_use_is_one_line(tmp_path: Path) -> None:
    refused = pytest.raises(AssertionError, match="in use by another process; stop it first")
    arguments = ("vector_store", "--data-dir", tmp_path)
    with workload(*arguments), refused, workload(*arguments):
        pass
