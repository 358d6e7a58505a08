"""Retrieval through the runtime against bare pymilvus: the same server, data, index and queries.

The data is synthetic (clustered unit vectors of several tenants); recall is measured against an
exact search over the tenant's own vectors. `--server` measures a Milvus server with passwords and
TLS (ours, or the one of MILVUS_URL) instead of Milvus Lite.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from pymilvus import MilvusClient

from agent_runtime.memory.long_term import MilvusLongTermMemory
from agent_runtime.memory.ports import Passage
from tests.harness.milvus_server import VectorStore, prepared_server
from tests.harness.workload import workload

COLLECTION = "bench_retrieval"
DIMENSION = 1536
TENANTS = 4
TOP_K = 10
BATCH = 250
SEED = 20_261_122


@dataclass(frozen=True)
class Figure:
    """One measured value and the bound that the project set itself."""

    name: str
    value: float
    bound: float
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def line(self) -> str:
        sign = "≥" if self.at_least else "≤"
        mark = "ok" if self.met else "MISSED"
        return f"{self.name:44} {self.value:8.3f} {self.unit:3} ({sign} {self.bound:g})  {mark}"


def clustered(count: int, random: numpy.random.Generator) -> Any:
    """Unit vectors around a hundred centres, as sentences about a hundred subjects lie."""
    centres = random.normal(size=(100, DIMENSION))
    vectors = centres[random.integers(0, 100, count)] + 0.7 * random.normal(size=(count, DIMENSION))
    return vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True)


def passage_ids(tenant: int, count: int) -> list[str]:
    return [f"{tenant:02x}{number:062x}" for number in range(count)]


async def fill(memory: MilvusLongTermMemory, vectors: list[Any]) -> None:
    for tenant, mine in enumerate(vectors):
        ids = passage_ids(tenant, len(mine))
        for start in range(0, len(mine), BATCH):
            passages = [
                Passage(
                    ids[number],
                    f"passage {number} of tenant {tenant}",
                    mine[number].tolist(),
                    f"tenant-{tenant}",
                    {"kind": "document", "document": f"d{number}", "chunk": 0},
                )
                for number in range(start, min(start + BATCH, len(mine)))
            ]
            await memory.store(COLLECTION, passages)


def bare_search(client: MilvusClient, query: list[float]) -> list[str]:
    """What a program without this runtime would do."""
    found = client.search(
        COLLECTION,
        data=[query],
        anns_field="embedding",
        limit=TOP_K,
        filter='tenant_id == "tenant-0"',
        search_params={"metric_type": "COSINE", "params": {"ef": 64}},
        output_fields=["content", "metadata"],
        consistency_level="Session",
    )
    return [str(hit["id"]) for hit in found[0]]


async def measured(
    memory: MilvusLongTermMemory, client: MilvusClient, mine: Any, queries: Any
) -> list[Figure]:
    """Both ways by turns, so that what else the machine does meets both."""
    ids = passage_ids(0, len(mine))
    ours: list[float] = []
    bare: list[float] = []
    recalls: list[float] = []
    for number, query in enumerate(queries):
        wanted = {ids[place] for place in numpy.argsort(-(mine @ query))[:TOP_K]}
        asked = query.tolist()

        async def runtime(vector: list[float] = asked) -> list[str]:
            began = time.perf_counter()
            hits = await memory.search(
                COLLECTION,
                vector,
                tenant="tenant-0",
                top_k=TOP_K,
                only={"kind": "document"},
                likely=True,
            )
            ours.append(time.perf_counter() - began)
            return [hit.id for hit in hits]

        def plain(vector: list[float] = asked) -> list[str]:
            began = time.perf_counter()
            hits = bare_search(client, vector)
            bare.append(time.perf_counter() - began)
            return hits

        if number % 2:
            plain()
            found = await runtime()
        else:
            found = await runtime()
            plain()
        recalls.append(len(wanted & set(found)) / TOP_K)
    ours_ms, bare_ms = (1000 * statistics.median(each) for each in (ours, bare))
    return [
        Figure("retrieval p50, runtime / bare pymilvus", ours_ms / bare_ms, 1.3, "x"),
        Figure("retrieval recall@10", statistics.fmean(recalls), 0.95, "", at_least=True),
        Figure("retrieval p50, bare pymilvus", bare_ms, float("inf"), "ms"),
        Figure("retrieval p50, runtime", ours_ms, float("inf"), "ms"),
    ]


async def run(store: VectorStore, passages: int, queries: int) -> list[Figure]:
    random = numpy.random.default_rng(SEED)
    vectors = [clustered(passages, random) for _ in range(TENANTS)]
    asked = vectors[0][random.integers(0, passages, queries)]
    asked = asked + 0.02 * random.normal(size=asked.shape)
    memory = MilvusLongTermMemory(store.address(), dimension=DIMENSION)
    client = store.client()
    try:
        await fill(memory, vectors)
        client.flush(COLLECTION)
        for query in asked[:10]:  # both paths warm
            await memory.search(COLLECTION, query.tolist(), tenant="tenant-0", top_k=TOP_K)
            bare_search(client, query.tolist())
        return await measured(memory, client, vectors[0], asked)
    finally:
        client.drop_collection(COLLECTION)
        client.close()
        memory.close()


def main() -> None:
    """Measure and print; nothing here fails because a machine is slow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=2500, help="of each of the tenants")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--server", action="store_true", help="not Milvus Lite")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory()))
        if options.server:
            store = parts.enter_context(prepared_server(folder))
        else:
            lite = parts.enter_context(workload("vector_store", "--data-dir", folder))
            store = VectorStore(lite.url, folder)
        figures = asyncio.run(run(store, options.passages, options.queries))
    if options.json:
        print(json.dumps([{**figure.__dict__, "met": figure.met} for figure in figures]))
        return
    for figure in figures:
        print(figure.line())


if __name__ == "__main__":
    main()
