"""The bootstrap command against Milvus Lite and against a Milvus server."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pymilvus import DataType
from pymilvus.exceptions import MilvusException

from agent_runtime.__main__ import main
from agent_runtime.memory.milvus import grpc_status
from agent_runtime.memory.milvus_schema import collection_schema, drift, index_params, wanted_shape
from tests.agent_runtime.milvus_command import ONLY_LITE, Bootstrap, database
from tests.harness.milvus_server import VectorStore
from tests.harness.workload import free_port, workload


@pytest.mark.services
def test_a_plan_is_carried_out_once_and_then_left_alone(
    bootstrap: Bootstrap, vector_store: VectorStore
) -> None:
    name = database()
    plan = {"embeddingDimension": 16, "databases": {name: ["agent_knowledge", "support-docs"]}}
    status, first, _ = bootstrap(plan)
    assert status == 0
    things = [
        f"database {name}",
        f"collection {name}/agent_knowledge",
        f"collection {name}/support_docs",
    ]
    assert first["made"] == things
    assert first["isolation"] == ("server" if vector_store.isolates_tenants else "runtime")
    status, again, _ = bootstrap(plan)
    assert (status, again["made"], again["kept"], again["drift"]) == (0, [], things, [])
    with closing(vector_store.client(name)) as client:
        described = client.describe_collection("agent_knowledge")
        assert described["properties"]["partitionkey.isolation"].lower() == "true"
        assert sorted(client.list_collections()) == ["agent_knowledge", "support_docs"]


@pytest.mark.services
def test_another_shape_is_reported_line_by_line_and_kept(
    bootstrap: Bootstrap, vector_store: VectorStore
) -> None:
    name = database()
    assert bootstrap({"databases": {name: []}})[0] == 0
    with closing(vector_store.client(name)) as client:
        schema = client.create_schema(auto_id=False, enable_dynamic_field=True)
        schema.add_field("id", DataType.VARCHAR, max_length=32, is_primary=True)
        schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=8)
        schema.add_field("tenant_id", DataType.VARCHAR, max_length=64)
        schema.add_field("extra", DataType.INT64)
        params = client.prepare_index_params()
        params.add_index("embedding", index_type="FLAT", metric_type="L2")
        client.create_collection("agent_knowledge", schema=schema, index_params=params)
        row = {"id": "a", "embedding": [1.0] * 8, "tenant_id": "t", "extra": 1}
        client.insert("agent_knowledge", [row])
    status, report, said = bootstrap(
        {"embeddingDimension": 16, "databases": {name: ["agent_knowledge"]}}
    )
    assert status == 3
    where = f"collection {name}/agent_knowledge: "
    assert {line.removeprefix(where) for line in report["drift"]} == {
        "field id: is VARCHAR(32) is_primary, wanted VARCHAR(64) is_primary",
        "field content: is missing, wanted VARCHAR(65535)",
        "field embedding: is FLOAT_VECTOR(8), wanted FLOAT_VECTOR(16)",
        "field metadata: is missing, wanted JSON",
        "field tenant_id: is VARCHAR(64), wanted VARCHAR(64) is_partition_key",
        "field extra: is INT64, wanted none",
        "dynamic fields: is true, wanted false",
        "property partitionkey.isolation: is false, wanted true",
        "index index_type: is FLAT, wanted HNSW",
        "index metric_type: is L2, wanted COSINE",
    }
    assert said == ""
    with closing(vector_store.client(name)) as client:
        client.load_collection("agent_knowledge")
        assert client.query("agent_knowledge", filter="id == 'a'", consistency_level="Strong")


@pytest.mark.services
def test_another_dimension_is_refused_in_one_line(
    bootstrap: Bootstrap, vector_store: VectorStore
) -> None:
    name = database()
    bootstrap({"databases": {name: []}})
    with closing(vector_store.client(name)) as client:
        schema, index = collection_schema(client, 8), index_params(client)
        properties = {"partitionkey.isolation": True}
        client.create_collection(
            "agent_knowledge", schema=schema, index_params=index, properties=properties
        )
    status, report, _ = bootstrap({"databases": {name: ["agent_knowledge"]}})
    wanted = "field embedding: is FLOAT_VECTOR(8), wanted FLOAT_VECTOR(1536)"
    assert (status, report["drift"]) == (3, [f"collection {name}/agent_knowledge: {wanted}"])


@pytest.mark.unit
def test_an_error_that_is_its_own_cause_has_no_status() -> None:
    error = MilvusException(message="collection not found")
    error.__cause__ = error
    assert grpc_status(error) is None


@pytest.mark.unit
def test_parameters_that_the_server_tells_are_compared_too() -> None:
    wanted = wanted_shape(1536)
    assert drift(wanted | {"index M": "8"}, wanted) == ["index M: is 8, wanted 16"]
    untold = {thing: value for thing, value in wanted.items() if thing != "index M"}
    assert drift(untold, wanted) == []


@pytest.mark.unit
@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        ("{", "is not JSON"),
        ({"colections": []}, "colections: Extra inputs are not permitted"),
        ({"databases": {"bad name": []}}, "databases.bad name"),
        ({"embeddingDimension": 1}, "embeddingDimension"),
        ({"users": {"agents": {}}}, "users need authentication: true"),
        ({"authentication": True, "users": {"root": {}}}, "user 'root' is always there"),
        (
            {"authentication": True, "users": {"agents": {"databases": ["x"]}}},
            "user 'agents': database 'x' is none of: default",
        ),
        ({"authentication": True}, "secret file"),
    ],
)
def test_a_plan_that_cannot_be_is_one_line(
    run_without_server: Bootstrap, plan: object, reason: str
) -> None:
    status, _, said = run_without_server(plan)
    assert status == 2
    assert reason in said
    assert said.count("\n") == 1


@pytest.fixture
def run_without_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Bootstrap:
    def go(plan: object) -> tuple[int, dict[str, Any], str]:
        monkeypatch.setenv("AGENT_MILVUS_URL", f"http://127.0.0.1:{free_port()}")
        monkeypatch.setenv("AGENT_SECRETS_DIR", str(tmp_path / "secrets"))
        path = tmp_path / "plan.json"
        path.write_text(plan if isinstance(plan, str) else json.dumps(plan))
        return main(["bootstrap-milvus", "--plan", str(path)]), {}, capsys.readouterr().err

    return go


@pytest.mark.services
def test_a_server_that_is_down_may_be_tried_again(
    bootstrap: Bootstrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agent_runtime.memory import milvus_bootstrap

    monkeypatch.setattr(milvus_bootstrap, "_SECONDS", 0.5)
    status, _, said = bootstrap({}, f"http://127.0.0.1:{free_port()}")
    assert status == 4
    assert said.startswith("Milvus: ")
    assert said.count("\n") == 1


@pytest.mark.services
@ONLY_LITE
def test_a_server_that_is_starting_is_waited_for(bootstrap: Bootstrap, tmp_path: Path) -> None:
    port = free_port()
    with ThreadPoolExecutor() as pool:
        done = pool.submit(bootstrap, {}, f"http://127.0.0.1:{port}", "--wait", "120")
        with workload("vector_store", "--data-dir", tmp_path / "late", at=port):
            status, outcome, _ = done.result()
    assert status == 0
    assert outcome["kept"] == ["database default"]
