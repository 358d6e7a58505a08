"""Users, roles and passwords that the bootstrap makes on a Milvus server."""

import uuid
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from grpc import RpcError

from agent_runtime.memory.long_term import MilvusLongTermMemory
from agent_runtime.memory.ports import MemoryUnavailableError, Passage
from agent_runtime.secret_file import SecretFile
from tests.agent_runtime.milvus_command import (
    ONLY_LITE,
    ONLY_SERVER,
    PASSWORD,
    Bootstrap,
    database,
)
from tests.harness.milvus_server import VectorStore


@pytest.mark.services
@ONLY_LITE
def test_users_on_a_server_without_users_are_one_line(bootstrap: Bootstrap, tmp_path: Path) -> None:
    for user in ("root", "agents"):
        (tmp_path / "secrets" / user).write_text("a-Password-1")
    status, _, said = bootstrap({"authentication": True, "users": {"agents": {}}})
    assert (status, said) == (4, "this server knows no users; drop `users` from the plan\n")


@pytest.mark.services
@ONLY_SERVER
def test_a_user_reaches_its_own_database_only(
    bootstrap: Bootstrap, tmp_path: Path, vector_store: VectorStore
) -> None:
    name, user = database(), f"u{uuid.uuid4().hex[:8]}"
    (tmp_path / "secrets" / user).write_text(PASSWORD)
    plan = {
        "databases": {name: ["agent_knowledge"], f"{name}_b": ["agent_knowledge"]},
        "users": {user: {"databases": [name]}},
    }
    assert bootstrap(plan)[0] == 0
    assert bootstrap(plan)[1]["made"] == []
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
    bootstrap: Bootstrap, tmp_path: Path, vector_store: VectorStore
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
    assert bootstrap(plan)[0] == 0
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
    bootstrap: Bootstrap, tmp_path: Path, vector_store: VectorStore
) -> None:
    name, user = database(), f"u{uuid.uuid4().hex[:8]}"
    secret = tmp_path / "secrets" / user
    secret.write_text(PASSWORD)
    plan = {"databases": {name: []}, "users": {user: {"databases": [name]}}}
    assert bootstrap(plan)[0] == 0
    secret.write_text("another-Password-2")
    status, report, _ = bootstrap(plan)
    line = f"user {user}: its password is not the Secret's; change it, or drop the user"
    assert (status, report["drift"]) == (3, [line])
    with closing(vector_store.client(name, user=user, password=PASSWORD)) as client:
        assert client.list_collections() == []


@pytest.mark.services
@ONLY_SERVER
def test_a_password_of_root_that_is_not_the_secrets_is_one_line(
    bootstrap: Bootstrap, tmp_path: Path, vector_store: VectorStore
) -> None:
    (tmp_path / "secrets" / "root").write_text("another-Password-2")
    status, _, said = bootstrap({"databases": {database(): []}})
    assert status == 4
    assert said.startswith("the server admits root neither with the password of the Secret nor")
    assert said.count("\n") == 1
