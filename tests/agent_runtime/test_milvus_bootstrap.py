"""The bootstrap command against Milvus Lite and against a Milvus server."""

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from grpc import RpcError
from pymilvus import DataType
from pymilvus.exceptions import MilvusException

from agent_runtime.__main__ import main
from agent_runtime.memory.long_term import MilvusLongTermMemory
from agent_runtime.memory.milvus import grpc_status
from agent_runtime.memory.milvus_schema import collection_schema, drift, index_params, wanted_shape
from agent_runtime.memory.ports import MemoryUnavailableError, Passage
from agent_runtime.secret_file import SecretFile
from tests.harness.milvus_server import VectorStore
from tests.harness.workload import free_port, workload

Run = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.fixture
def run(
    vector_store: VectorStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
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


@pytest.mark.services
def test_a_plan_is_carried_out_once_and_then_left_alone(
    run: Run, vector_store: VectorStore
) -> None:
    name = database()
    plan = {"embeddingDimension": 16, "databases": {name: ["agent_knowledge", "support-docs"]}}
    status, first, _ = run(plan)
    assert status == 0
    things = [
        f"database {name}",
        f"collection {name}/agent_knowledge",
        f"collection {name}/support_docs",
    ]
    assert first["made"] == things
    assert first["isolation"] == ("server" if vector_store.isolates_tenants else "runtime")
    status, again, _ = run(plan)
    assert (status, again["made"], again["kept"], again["drift"]) == (0, [], things, [])
    with closing(vector_store.client(name)) as client:
        described = client.describe_collection("agent_knowledge")
        assert described["properties"]["partitionkey.isolation"].lower() == "true"
        assert sorted(client.list_collections()) == ["agent_knowledge", "support_docs"]


@pytest.mark.services
def test_another_shape_is_reported_line_by_line_and_kept(
    run: Run, vector_store: VectorStore
) -> None:
    name = database()
    assert run({"databases": {name: []}})[0] == 0
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
    status, report, said = run({"embeddingDimension": 16, "databases": {name: ["agent_knowledge"]}})
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
def test_another_dimension_is_refused_in_one_line(run: Run, vector_store: VectorStore) -> None:
    name = database()
    run({"databases": {name: []}})
    with closing(vector_store.client(name)) as client:
        schema, index = collection_schema(client, 8), index_params(client)
        properties = {"partitionkey.isolation": True}
        client.create_collection(
            "agent_knowledge", schema=schema, index_params=index, properties=properties
        )
    status, report, _ = run({"databases": {name: ["agent_knowledge"]}})
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
    run_without_server: Run, plan: object, reason: str
) -> None:
    status, _, said = run_without_server(plan)
    assert status == 2
    assert reason in said
    assert said.count("\n") == 1


@pytest.fixture
def run_without_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    def go(plan: object) -> tuple[int, dict[str, Any], str]:
        monkeypatch.setenv("AGENT_MILVUS_URL", f"http://127.0.0.1:{free_port()}")
        monkeypatch.setenv("AGENT_SECRETS_DIR", str(tmp_path / "secrets"))
        path = tmp_path / "plan.json"
        path.write_text(plan if isinstance(plan, str) else json.dumps(plan))
        return main(["bootstrap-milvus", "--plan", str(path)]), {}, capsys.readouterr().err

    return go


@pytest.mark.services
@ONLY_LITE
def test_users_on_a_server_without_users_are_one_line(run: Run, tmp_path: Path) -> None:
    for user in ("root", "agents"):
        (tmp_path / "secrets" / user).write_text("a-Password-1")
    status, _, said = run({"authentication": True, "users": {"agents": {}}})
    assert (status, said) == (4, "this server knows no users; drop `users` from the plan\n")


@pytest.mark.services
@ONLY_SERVER
def test_a_user_reaches_its_own_database_only(
    run: Run, tmp_path: Path, vector_store: VectorStore
) -> None:
    name, user = database(), f"u{uuid.uuid4().hex[:8]}"
    (tmp_path / "secrets" / user).write_text(PASSWORD)
    plan = {
        "databases": {name: ["agent_knowledge"], f"{name}_b": ["agent_knowledge"]},
        "users": {user: {"databases": [name]}},
    }
    assert run(plan)[0] == 0
    assert run(plan)[1]["made"] == []
    with closing(vector_store.client(name, user=user, password=PASSWORD)) as client:
        assert client.list_collections() == ["agent_knowledge"]
        assert client.query("agent_knowledge", filter="tenant_id == 't'", limit=1) == []
        with pytest.raises(RpcError, match="permission deny"):
            client.drop_collection("agent_knowledge")
    with (
        closing(vector_store.client(f"{name}_b", user=user, password=PASSWORD)) as client,
        pytest.raises(RpcError, match="permission deny"),
    ):
        client.query("agent_knowledge", filter="tenant_id == 't'", limit=1)


@pytest.mark.services
@ONLY_SERVER
async def test_a_user_that_only_reads_can_search_and_not_write(
    run: Run, tmp_path: Path, vector_store: VectorStore
) -> None:
    name = database()
    writer, reader = (f"{each}{uuid.uuid4().hex[:8]}" for each in ("w", "r"))
    users = {writer: {"databases": [name]}, reader: {"access": "read", "databases": [name]}}
    plan = {"embeddingDimension": 8, "databases": {name: ["agent_knowledge"]}, "users": users}
    stores = {}
    for user in users:
        (tmp_path / "secrets" / user).write_text(PASSWORD)
        token = tmp_path / f"token-{user}"
        token.write_text(f"{user}:{PASSWORD}")
        address = replace(vector_store.address(name), token=SecretFile(token))
        stores[user] = MilvusLongTermMemory(address, dimension=8)
    assert run(plan)[0] == 0
    passage = Passage("a" * 64, "text", [1.0, *[0.0] * 7], "acme", {"kind": "x"})
    assert await stores[writer].store("agent_knowledge", [passage]) == 1
    found = await stores[writer].search(
        "agent_knowledge", passage.embedding, tenant="acme", top_k=1
    )
    assert [hit.id for hit in found] == [passage.id]
    found = await stores[reader].search(
        "agent_knowledge", passage.embedding, tenant="acme", top_k=1
    )
    assert [hit.id for hit in found] == [passage.id]
    with pytest.raises(MemoryUnavailableError, match="PERMISSION_DENIED"):
        await stores[reader].store("agent_knowledge", [passage])
    with pytest.raises(MemoryUnavailableError, match="PERMISSION_DENIED"):
        await stores[reader].remove("agent_knowledge", [passage.id], tenant="acme")
    for store in stores.values():
        store.close()


@pytest.mark.services
@ONLY_SERVER
def test_a_password_that_is_not_the_secrets_is_reported_and_kept(
    run: Run, tmp_path: Path, vector_store: VectorStore
) -> None:
    name, user = database(), f"u{uuid.uuid4().hex[:8]}"
    secret = tmp_path / "secrets" / user
    secret.write_text(PASSWORD)
    plan = {"databases": {name: []}, "users": {user: {"databases": [name]}}}
    assert run(plan)[0] == 0
    secret.write_text("another-Password-2")
    status, report, _ = run(plan)
    line = f"user {user}: its password is not the Secret's; change it, or drop the user"
    assert (status, report["drift"]) == (3, [line])
    with closing(vector_store.client(name, user=user, password=PASSWORD)) as client:
        assert client.list_collections() == []


@pytest.mark.services
@ONLY_SERVER
def test_a_password_of_root_that_is_not_the_secrets_is_one_line(
    run: Run, tmp_path: Path, vector_store: VectorStore
) -> None:
    (tmp_path / "secrets" / "root").write_text("another-Password-2")
    status, _, said = run({"databases": {database(): []}})
    assert status == 4
    assert said.startswith("the server admits root neither with the password of the Secret nor")
    assert said.count("\n") == 1


@pytest.mark.services
def test_a_server_that_is_down_may_be_tried_again(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agent_runtime.memory import milvus_bootstrap

    monkeypatch.setattr(milvus_bootstrap, "_SECONDS", 0.5)
    status, _, said = run({}, f"http://127.0.0.1:{free_port()}")
    assert status == 4
    assert said.startswith("Milvus: ")
    assert said.count("\n") == 1


@pytest.mark.services
@ONLY_LITE
def test_a_server_that_is_starting_is_waited_for(run: Run, tmp_path: Path) -> None:
    port = free_port()
    with ThreadPoolExecutor() as pool:
        done = pool.submit(run, {}, f"http://127.0.0.1:{port}", "--wait", "120")
        with workload("vector_store", "--data-dir", tmp_path / "late", at=port):
            status, outcome, _ = done.result()
    assert status == 0
    assert outcome["kept"] == ["database default"]
