"""Long-term memory in Milvus: passages with their meaning, each tenant's apart."""

import asyncio
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from agent_runtime.memory.milvus_schema import collection_schema, index_params
from agent_runtime.memory.ports import Hit, MemoryUnavailableError, Passage
from agent_runtime.secret_file import SecretFile, SecretUnavailableError
from agent_runtime.telemetry.tracing import trace_id

CALL_SECONDS = 10.0
_FIELDS = ["content", "metadata"]
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""What may stand in a filter; Milvus Lite knows no filter parameters, so this is the guard."""
_THREADS = 4

T = TypeVar("T")


def collection_name(name: str) -> str:
    """The name in Milvus, which knows letters, digits and underscores only."""
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


class MilvusLongTermMemory:
    """Connects with its first call; every search and write names its tenant."""

    def __init__(self, url: str, *, token: SecretFile | None, dimension: int) -> None:
        self._url = url
        self._token = token
        self._dimension = dimension
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="milvus")
        self._connecting = threading.Lock()
        self._client: Any = None
        self._ready: set[str] = set()

    async def search(
        self, collection: str, vector: list[float], *, tenant: str, top_k: int
    ) -> list[Hit]:
        """The nearest passages of the tenant, best first."""
        if not _TENANT.fullmatch(tenant):
            raise ValueError("a search needs a tenant of letters, digits and . _ -")
        request_id = trace_id()

        def run() -> list[Hit]:
            name = self._loaded(collection)
            found = self._connected().search(
                name,
                data=[vector],
                anns_field="embedding",
                limit=top_k,
                filter=f'tenant_id == "{tenant}"',
                search_params={"metric_type": "COSINE", "params": {"ef": max(64, top_k)}},
                output_fields=_FIELDS,
                timeout=CALL_SECONDS,
                client_request_id=request_id,
            )
            return [_hit(each) for each in found[0]]

        return await self._in_thread(run)

    async def store(self, collection: str, passages: Sequence[Passage]) -> int:
        """Write passages, over those of the same id; the number written."""
        rows = [
            {
                "id": each.id,
                "content": each.content,
                "embedding": each.embedding,
                "metadata": {
                    "document": each.document,
                    "title": each.title,
                    "language": each.language,
                    "chunk": each.chunk,
                },
                "tenant_id": each.tenant,
            }
            for each in passages
        ]

        def run() -> int:
            name = self._ensured(collection)
            self._connected().upsert(name, rows, timeout=CALL_SECONDS)
            return len(rows)

        return await self._in_thread(run)

    async def ensure(self, collection: str) -> None:
        """Make the collection as the architecture writes it, unless it is there."""
        await self._in_thread(lambda: self._ensured(collection))

    async def collections(self) -> dict[str, int]:
        """Each collection with its number of passages."""

        def run() -> dict[str, int]:
            client = self._connected()
            names = sorted(client.list_collections(timeout=CALL_SECONDS))
            return {
                each: int(client.get_collection_stats(each, timeout=CALL_SECONDS)["row_count"])
                for each in names
            }

        return await self._in_thread(run)

    async def warm(self) -> None:
        """Pay for the client's import and connection before the first question does."""
        await self._in_thread(self._connected)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: _reported(call)
        )

    def _connected(self) -> Any:
        from pymilvus import MilvusClient

        with self._connecting:
            if self._client is None:
                token = self._token.read() if self._token else ""
                self._client = MilvusClient(uri=self._url, token=token, timeout=CALL_SECONDS)
        return self._client

    def _ensured(self, collection: str) -> str:
        name = collection_name(collection)
        client = self._connected()
        if not client.has_collection(name, timeout=CALL_SECONDS):
            schema = collection_schema(client, self._dimension)
            properties = {"partitionkey.isolation": True}
            client.create_collection(
                name,
                schema=schema,
                index_params=index_params(client),
                properties=properties,
                timeout=CALL_SECONDS,
            )
        return self._loaded(collection)

    def _loaded(self, collection: str) -> str:
        """Milvus Lite gives collections back "released" after a restart, so load before use."""
        name = collection_name(collection)
        if name not in self._ready:
            self._connected().load_collection(name, timeout=CALL_SECONDS)
            self._ready.add(name)
        return name


def _reported(call: Callable[[], T]) -> T:
    from grpc import RpcError
    from pymilvus.exceptions import MilvusException

    try:
        return call()
    except (MilvusException, RpcError, SecretUnavailableError) as error:
        raise MemoryUnavailableError(f"vector store: {type(error).__name__}") from error


def _hit(found: dict[str, Any]) -> Hit:
    entity = found["entity"]
    about = entity.get("metadata") or {}
    return Hit(
        content=str(entity["content"]),
        document=str(about.get("document", "")),
        title=str(about.get("title", "")),
        chunk=int(about.get("chunk", 0)),
        score=float(found["distance"]),
    )
