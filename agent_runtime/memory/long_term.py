"""Long-term memory in Milvus: passages with their meaning, each tenant's apart."""

import re
from collections.abc import Sequence
from typing import Any

from agent_runtime.memory.milvus import CALL_SECONDS, Milvus, MilvusAddress
from agent_runtime.memory.milvus_schema import load_collection, make_collection
from agent_runtime.memory.ports import Hit, Metadata, Passage
from agent_runtime.memory.tenant_filter import tenant_filter
from agent_runtime.secret_file import SecretFile
from agent_runtime.settings import Settings
from agent_runtime.telemetry.tracing import trace_id

_FOUND = ["content", "metadata"]
_PAGE = 1000
"""Rows of one query; Milvus allows 16,384."""
_OWN_WRITES, _ALL_WRITES = "Session", "Strong"
"""What a read waits for: what this process wrote, which costs nothing where it wrote nothing, or
what anybody did, which takes a tick of the server's clock (200 ms). Unasked a server may leave out
what came in the last seconds."""


def collection_name(name: str) -> str:
    """The name in Milvus, which knows letters, digits and underscores only."""
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


class MilvusLongTermMemory:
    """Every search, write and deletion names its tenant; there is no other way in."""

    def __init__(self, address: MilvusAddress, *, dimension: int) -> None:
        self._milvus = Milvus(address)
        self._milvus.on_failure = self._forget_loaded
        self._dimension = dimension
        self._loaded: set[str] = set()

    @classmethod
    def from_settings(cls, settings: Settings) -> "MilvusLongTermMemory":
        """The store that the environment names; nothing is connected yet."""
        token = SecretFile(settings.milvus_token_file) if settings.milvus_token_file else None
        address = MilvusAddress(
            settings.milvus_url,
            token=token,
            database=settings.milvus_database,
            ca_file=settings.milvus_ca_file,
        )
        return cls(address, dimension=settings.embedding_dimension)

    async def search(
        self,
        collection: str,
        vector: list[float],
        *,
        tenant: str,
        top_k: int,
        only: Metadata | None = None,
        likely: bool = False,
    ) -> list[Hit]:
        """The nearest passages of the tenant, best first.

        Filters on JSON are slow (on Milvus Lite ten times as slow as a search without). Where
        nearly all passages meet `only`, the nearest are asked for first: if all of those meet it,
        they are the answer.
        """
        mine, narrowed = tenant_filter(tenant), tenant_filter(tenant, only)
        request_id = trace_id()

        def run(client: Any) -> list[Hit]:
            if likely and only:
                hits = nearest(client, mine)
                if all(_meets(hit, only) for hit in hits):
                    return hits
            return nearest(client, narrowed)

        def nearest(client: Any, where: str) -> list[Hit]:
            found = client.search(
                self._ready(client, collection),
                data=[vector],
                anns_field="embedding",
                limit=top_k,
                filter=where,
                search_params={"metric_type": "COSINE", "params": {"ef": max(64, top_k)}},
                output_fields=_FOUND,
                consistency_level=_OWN_WRITES,
                timeout=CALL_SECONDS,
                client_request_id=request_id,
            )
            return [_hit(each) for each in found[0]]

        return await self._milvus.run(run)

    async def store(self, collection: str, passages: Sequence[Passage]) -> int:
        """Write passages, over those of the same id; the number written."""
        for tenant in {each.tenant for each in passages}:
            tenant_filter(tenant)
        rows = [
            {
                "id": each.id,
                "content": each.content,
                "embedding": each.embedding,
                "metadata": dict(each.metadata),
                "tenant_id": each.tenant,
            }
            for each in passages
        ]

        def run(client: Any) -> int:
            make_collection(client, collection_name(collection), self._dimension)
            client.upsert(self._ready(client, collection), rows, timeout=CALL_SECONDS)
            return len(rows)

        return await self._milvus.run(run) if rows else 0

    async def known(self, collection: str, ids: Sequence[str], *, tenant: str) -> set[str]:
        """Those of `ids` that the tenant has."""
        where = tenant_filter(tenant, ids=ids)

        def run(client: Any) -> set[str]:
            if not ids or not client.has_collection(
                collection_name(collection), timeout=CALL_SECONDS
            ):
                return set()
            name = self._ready(client, collection)
            return set(_ids(client, name, where, limit=len(ids)))

        return await self._milvus.run(run)

    async def listed(
        self, collection: str, *, tenant: str, only: Metadata
    ) -> list[tuple[str, Metadata]]:
        """Ids and metadata of all passages of the tenant with these values."""
        where = tenant_filter(tenant, only)

        def run(client: Any) -> list[tuple[str, Metadata]]:
            name = self._ready(client, collection)
            # pages can't be asked to wait, so a row is asked for first that waits for them
            _ids(client, name, where, limit=1)
            pages = client.query_iterator(
                name,
                filter=where,
                output_fields=["id", "metadata"],
                batch_size=_PAGE,
                timeout=CALL_SECONDS,
            )
            try:
                rows: list[tuple[str, Metadata]] = []
                while page := pages.next():
                    rows += [(str(row["id"]), dict(row["metadata"])) for row in page]
            finally:
                pages.close()
            return rows

        return await self._milvus.run(run)

    async def remove(
        self,
        collection: str,
        ids: Sequence[str],
        *,
        tenant: str,
        only: Metadata | None = None,
    ) -> int:
        """Delete passages of the tenant, and wait until they are gone; the number there were."""
        where = tenant_filter(tenant, only, ids)

        def run(client: Any) -> int:
            name = self._ready(client, collection)
            found = _ids(client, name, where, limit=len(ids))
            if found:
                client.delete(name, filter=where, timeout=CALL_SECONDS)
                # a server may not tell when it deleted, so that no later read would wait for it
                _ids(client, name, where, limit=1, waits_for=_ALL_WRITES)
            return len(found)

        return await self._milvus.run(run) if ids else 0

    async def ensure(self, collection: str) -> None:
        """Make the collection as the architecture writes it, unless it is there.

        What anybody wrote before this call is seen by every read after it.
        """

        def run(client: Any) -> None:
            make_collection(client, collection_name(collection), self._dimension)
            name = self._ready(client, collection)
            _ids(client, name, tenant_filter("nobody"), limit=1, waits_for=_ALL_WRITES)

        await self._milvus.run(run)

    async def collections(self) -> dict[str, int]:
        """Each collection with its number of passages."""

        def run(client: Any) -> dict[str, int]:
            names = sorted(client.list_collections(timeout=CALL_SECONDS))
            return {
                each: int(client.get_collection_stats(each, timeout=CALL_SECONDS)["row_count"])
                for each in names
            }

        return await self._milvus.run(run)

    async def warm(self) -> None:
        """Pay for the client's import and connection before the first question does."""
        await self._milvus.run(lambda _: None)

    def close(self) -> None:
        self._milvus.close()

    def _ready(self, client: Any, collection: str) -> str:
        """Milvus Lite gives collections back "released" after a restart, so load before use."""
        name = collection_name(collection)
        if name not in self._loaded:
            load_collection(client, name)
            self._loaded.add(name)
        return name

    def _forget_loaded(self) -> None:
        self._loaded.clear()


def _ids(
    client: Any, name: str, where: str, *, limit: int, waits_for: str = _OWN_WRITES
) -> list[str]:
    rows = client.query(
        name,
        filter=where,
        output_fields=["id"],
        limit=limit,
        consistency_level=waits_for,
        timeout=CALL_SECONDS,
    )
    return [str(row["id"]) for row in rows]


def _meets(hit: Hit, only: Metadata) -> bool:
    return all(hit.metadata.get(key) == value for key, value in only.items())


def _hit(found: dict[str, Any]) -> Hit:
    entity = found["entity"]
    about = {
        str(key): value
        for key, value in (entity.get("metadata") or {}).items()
        if isinstance(value, str | int)
    }
    return Hit(str(found["id"]), str(entity["content"]), float(found["distance"]), about)
