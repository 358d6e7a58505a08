"""The vector store as the runtime uses it: on Milvus Lite and on a Milvus server."""

from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pymilvus.exceptions import MilvusException

from agent_runtime.memory.long_term import MilvusLongTermMemory, collection_name
from agent_runtime.memory.milvus import MilvusAddress
from agent_runtime.memory.ports import MemoryUnavailableError, Passage
from agent_runtime.memory.tenant_filter import tenant_filter
from tests.harness.milvus_server import VectorStore
from tests.harness.workload import free_port

DIMENSION = 8
A, B, C, D = (letter * 64 for letter in "abcd")


def vector(*numbers: float) -> list[float]:
    return [*numbers, *[0.0] * (DIMENSION - len(numbers))]


def passage(id_: str, tenant: str, *numbers: float, **about: str | int) -> Passage:
    return Passage(id_, f"content of {id_[0]}", vector(*numbers), tenant, {"kind": "x", **about})


@pytest.fixture
async def memory(vector_store: VectorStore, collection: str) -> AsyncIterator[MilvusLongTermMemory]:
    made = MilvusLongTermMemory(vector_store.address(), dimension=DIMENSION)
    await made.store(
        collection,
        [
            passage(A, "acme", 1.0, document="one", chunk=1),
            passage(B, "acme", 0.8, 0.6, document="two", chunk=1),
            passage(C, "rival", 1.0, document="theirs"),
        ],
    )
    yield made
    made.close()
    with closing(vector_store.client()) as client:
        client.drop_collection(collection_name(collection))


@pytest.mark.services
async def test_a_search_finds_the_tenants_own_best_first(
    memory: MilvusLongTermMemory, collection: str
) -> None:
    found = await memory.search(collection, vector(1.0), tenant="acme", top_k=5)
    assert [hit.id for hit in found] == [A, B]
    assert [hit.score for hit in found] == pytest.approx([1.0, 0.8], abs=1e-3)
    assert (found[0].document, found[0].chunk) == ("one", 1)


@pytest.mark.services
async def test_metadata_narrows_a_search_and_a_list(
    memory: MilvusLongTermMemory, collection: str
) -> None:
    only: dict[str, str | int] = {"document": "two", "chunk": 1}
    found = await memory.search(collection, vector(1.0), tenant="acme", top_k=5, only=only)
    assert [hit.id for hit in found] == [B]
    listed = await memory.listed(collection, tenant="acme", only={"kind": "x"})
    assert sorted(each for each, _ in listed) == [A, B]


@pytest.mark.services
async def test_a_likely_condition_finds_the_same(
    memory: MilvusLongTermMemory, collection: str
) -> None:
    """Whether the nearest passages all meet it, or some do not."""
    await memory.store(collection, [passage(D, "acme", 0.9, 0.1, document="fact")])
    for only in ({"kind": "x"}, {"document": "two"}, {"document": "none"}):
        for top_k in (1, 2, 5):
            both = [
                await memory.search(
                    collection, vector(1.0), tenant="acme", top_k=top_k, only=only, likely=likely
                )
                for likely in (False, True)
            ]
            assert both[0] == both[1]


@pytest.mark.services
async def test_nobody_touches_what_is_anothers(
    memory: MilvusLongTermMemory, collection: str
) -> None:
    assert await memory.known(collection, [A, B, C], tenant="rival") == {C}
    assert await memory.remove(collection, [A, B], tenant="rival") == 0
    assert await memory.remove(collection, [A, B], tenant="acme", only={"document": "two"}) == 1
    assert await memory.known(collection, [A, B], tenant="acme") == {A}


@pytest.mark.services
async def test_no_call_works_without_a_tenant(
    memory: MilvusLongTermMemory, collection: str
) -> None:
    for tenant in ("", " ", "a b", 'x" or tenant_id != "', "x" * 65, "*"):
        calls: list[Any] = [
            memory.search(collection, vector(1.0), tenant=tenant, top_k=5),
            memory.known(collection, [A], tenant=tenant),
            memory.listed(collection, tenant=tenant, only={}),
            memory.remove(collection, [A], tenant=tenant),
            memory.store(collection, [passage(A, tenant, 1.0)]),
        ]
        for call in calls:
            with pytest.raises(ValueError, match="tenant"):
                await call


@pytest.mark.services
async def test_a_list_is_longer_than_a_page(memory: MilvusLongTermMemory, collection: str) -> None:
    many = [passage(f"{number:064x}", "big", 1.0) for number in range(1, 2350)]
    for start in range(0, len(many), 500):
        await memory.store(collection, many[start : start + 500])
    listed = await memory.listed(collection, tenant="big", only={"kind": "x"})
    assert {each for each, _ in listed} == {each.id for each in many}
    assert len(listed) == len(many)


@pytest.mark.services
@pytest.mark.milvus_server
@pytest.mark.parametrize(
    "vector_store", [pytest.param("server", marks=pytest.mark.slow)], indirect=True
)
async def test_the_server_itself_refuses_a_search_without_a_tenant(
    memory: MilvusLongTermMemory, collection: str, vector_store: VectorStore
) -> None:
    assert await memory.known(collection, [A], tenant="acme")
    with closing(vector_store.client()) as client, pytest.raises(MilvusException):
        client.search(
            collection_name(collection), data=[vector(1.0)], anns_field="embedding", limit=5
        )


@pytest.mark.services
async def test_a_store_that_is_down_is_told_at_once_after_some_tries(collection: str) -> None:
    memory = MilvusLongTermMemory(
        MilvusAddress(f"http://127.0.0.1:{free_port()}"), dimension=DIMENSION
    )
    reasons = []
    for _ in range(4):
        with pytest.raises(MemoryUnavailableError) as caught:
            await memory.known(collection, [A], tenant="acme")
        reasons.append(str(caught.value))
    memory.close()
    assert "resting" not in " ".join(reasons[:3])
    assert reasons[3] == "vector store: resting after repeated failures"


@pytest.mark.unit
@given(
    tenant=some.text(max_size=12),
    key=some.text(max_size=6),
    value=some.text(max_size=12) | some.integers(),
    id_=some.text(max_size=5),
)
def test_no_value_can_end_its_literal(tenant: str, key: str, value: str | int, id_: str) -> None:
    try:
        made = tenant_filter(tenant, {key: value}, [id_] if id_ else None)
    except ValueError:
        return
    number = made.count('"')
    assert number == 2 + 2 + (0 if isinstance(value, int) else 2)
    assert "\\" not in made
    assert made.startswith(f'tenant_id == "{tenant}" and metadata["{key}"] == ')
