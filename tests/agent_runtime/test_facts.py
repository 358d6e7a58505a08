"""Facts beyond a session: kept once, off the reply path, found by their owner only."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agent_runtime.agent import retry
from agent_runtime.memory.facts import Facts, Owner, fact_id
from agent_runtime.memory.long_term import MilvusLongTermMemory
from agent_runtime.memory.milvus import MilvusAddress
from agent_runtime.memory.ports import KnowledgeRequiredError
from agent_runtime.memory.tools import fact_tools
from agent_runtime.telemetry.metrics import Metrics
from agent_runtime.tools.port import CallContext, ToolResult
from agents.memory_tool import LongTermMemoryConfig
from local.workloads.scripted_model import DIMENSION, hashed_words
from tests.harness.milvus_server import VectorStore
from tests.harness.workload import free_port

TEA = "Ada likes green tea."
OWNER = Owner.of("acme", "helper", "ada")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait as they do, only less."""
    monkeypatch.setattr(retry, "BASE_SECONDS", 0.01)


class HashedWords:
    """Vectors by common words, at once; counts the texts."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def embed(self, text: str) -> list[float]:
        return (await self.embed_all([text]))[0]

    async def embed_all(self, texts: Sequence[str]) -> list[list[float]]:
        await self.gate.wait()
        self.texts += texts
        return [hashed_words(text) for text in texts]


@asynccontextmanager
async def kept(
    address: MilvusAddress, collection: str, **more: Any
) -> AsyncIterator[tuple[Facts, HashedWords, Metrics]]:
    memory = MilvusLongTermMemory(address, dimension=DIMENSION)
    metrics, embedder = Metrics("helper"), HashedWords()
    facts = Facts(memory, embedder, metrics, collection=collection, **more)
    try:
        yield facts, embedder, metrics
    finally:
        embedder.gate.set()
        await facts.close()
        memory.close()


def written(metrics: Metrics, outcome: str) -> float | None:
    labels = {"agent": "helper", "outcome": outcome}
    return metrics.registry.get_sample_value("agent_memory_writes_total", labels)


async def call(
    facts: Facts,
    name: str,
    arguments: dict[str, Any],
    *,
    user: str = "ada",
    tenant: str = "acme",
    **config: Any,
) -> ToolResult:
    tools = fact_tools(LongTermMemoryConfig(**config), facts, "helper")
    (tool,) = (each for each in tools if each.tool.name == name)
    return await tool.call(arguments, CallContext(tenant, user, "run", "call"))


@pytest.mark.services
async def test_a_fact_is_kept_once_and_found_by_its_owner_only(
    vector_store: VectorStore, collection: str
) -> None:
    async with kept(vector_store.address(), collection) as (facts, embedder, metrics):
        for fact in (TEA, f"  {TEA.replace(' ', '  ')} ", "Ada works in Oslo."):
            result = await call(facts, "remember", {"fact": fact})
            assert result.value == {"status": "accepted"}
        await facts.flush()
        await call(facts, "remember", {"fact": TEA})
        await facts.flush()
        assert (written(metrics, "stored"), written(metrics, "known")) == (2, 2)
        assert sorted(embedder.texts) == [TEA, "Ada works in Oslo."]
        found = (await call(facts, "recall", {"query": "green tea"})).value["facts"]
        assert found[0]["fact"] == TEA
        for stranger in ({"user": "bob"}, {"user": ""}, {"tenant": "rival"}):
            other = await call(facts, "recall", {"query": "green tea"}, **stranger)
            assert other.value == {"facts": []}
            gone = await call(facts, "forget", {"id": found[0]["id"]}, **stranger)
            assert gone.value == {"forgotten": 0}
        gone = await call(facts, "forget", {"id": found[0]["id"]})
        assert gone.value == {"forgotten": 1}
        rest = (await call(facts, "recall", {"query": "green tea"}, min_score=-1)).value["facts"]
        assert [each["fact"] for each in rest] == ["Ada works in Oslo."]


@pytest.mark.services
async def test_a_tenants_shared_facts_are_found_by_all_of_it(
    vector_store: VectorStore, collection: str
) -> None:
    async with kept(vector_store.address(), collection) as (facts, _, _):
        await call(facts, "remember", {"fact": TEA}, scope="tenant")
        await facts.flush()
        found = await call(facts, "recall", {"query": "green tea"}, user="bob", scope="tenant")
        assert len(found.value["facts"]) == 1
        other = await call(facts, "recall", {"query": "green tea"}, tenant="rival", scope="tenant")
        assert other.value == {"facts": []}


@pytest.mark.services
async def test_remembering_never_waits_and_a_full_queue_says_so(
    vector_store: VectorStore, collection: str
) -> None:
    async with kept(vector_store.address(), collection, queue=2) as (facts, embedder, metrics):
        embedder.gate.clear()
        answers = [facts.remember(OWNER, f"fact number {number}") for number in range(3)]
        assert answers == [True, True, False]
        assert written(metrics, "refused") == 1
        refused = await call(facts, "remember", {"fact": "one more"})
        assert refused.error
        assert "not kept" in refused.value
        embedder.gate.set()
        await facts.flush()
        assert written(metrics, "stored") == 2


@pytest.mark.services
@pytest.mark.parametrize("policy", ["degrade", "fail"])
async def test_memory_that_is_down_is_never_told_as_empty(policy: str, collection: str) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with kept(MilvusAddress(url), collection) as (facts, _, metrics):
        for name, arguments in (("recall", {"query": "tea"}), ("forget", {"id": "0" * 64})):
            if policy == "fail":
                with pytest.raises(KnowledgeRequiredError) as caught:
                    await call(facts, name, arguments, on_unavailable=policy)
                assert (caught.value.status, caught.value.code) == (503, "knowledge_unavailable")
                continue
            told = await call(facts, name, arguments, on_unavailable=policy)
            assert told.error
            assert told.degraded == f"memory:{name}"
            assert "does not mean that nothing was kept" in told.value
        assert (await call(facts, "remember", {"fact": TEA})).value == {"status": "accepted"}
        await facts.flush()
        assert written(metrics, "failed") == 1


@pytest.mark.unit
def test_the_same_words_of_another_owner_are_another_fact() -> None:
    owners = [
        OWNER,
        Owner.of("rival", "helper", "ada"),
        Owner.of("acme", "other", "ada"),
        Owner.of("acme", "helper", "bob"),
        Owner.of("acme", "helper", ""),
        Owner.of("acme", "helper", None),
    ]
    assert len({fact_id(owner, TEA) for owner in owners}) == len(owners)


@pytest.mark.unit
def test_a_name_with_quotes_can_be_an_owner() -> None:
    hostile = Owner.of("acme", "helper", 'x" or "1" == "1')
    assert str(hostile.only["subject"]).isalnum()
