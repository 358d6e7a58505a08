"""A connection to Milvus from asynchronous code; pymilvus is imported with its first use."""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from agent_runtime.agent.breaker import Breaker
from agent_runtime.memory.ports import MemoryUnavailableError
from agent_runtime.secret_file import SecretFile, SecretUnavailableError

CALL_SECONDS = 10.0
CONNECT_SECONDS = 3.0
_THREADS = 4
_FAILURES, _PAUSE_SECONDS = 3, 10.0

T = TypeVar("T")


@dataclass(frozen=True)
class MilvusAddress:
    """Where a Milvus is and how it is entered."""

    url: str
    """`https://` for TLS."""
    token: SecretFile | None = None
    """`user:password`, read again for each new connection."""
    database: str = "default"
    ca_file: Path | None = None
    """Certificate authority of a server with TLS; default: those of the system."""


class Milvus:
    """Connects with its first call; rests for a while after failures in a row."""

    def __init__(self, address: MilvusAddress) -> None:
        self._address = address
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="milvus")
        self._lock = threading.Lock()
        self._client: Any = None
        self._breaker = Breaker(failures=_FAILURES, pause_seconds=_PAUSE_SECONDS)
        self.on_failure: Callable[[], None] = lambda: None
        """Called after each failure: what was known about the server may be out of date."""

    async def run(self, call: Callable[[Any], T]) -> T:
        """The result of `call(client)` in a thread. Raises MemoryUnavailableError."""
        if not self._breaker.admits():
            raise MemoryUnavailableError("vector store: resting after repeated failures")
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, lambda: self._reported(call))
        except MemoryUnavailableError:
            self._breaker.failed()
            self.on_failure()
            raise
        self._breaker.succeeded()
        return found

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()

    def connected(self) -> Any:
        """The client; for calls from threads. Raises what pymilvus raises."""
        from pymilvus import MilvusClient

        with self._lock:
            if self._client is None:
                # it logs a stack trace for every failure, which is reported in one line here
                logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
                address = self._address
                authority = str(address.ca_file) if address.ca_file else None
                self._client = MilvusClient(
                    uri=address.url,
                    token=address.token.read() if address.token else "",
                    db_name="" if address.database == "default" else address.database,
                    timeout=CONNECT_SECONDS,
                    **({"server_pem_path": authority, "secure": True} if authority else {}),
                )
        return self._client

    def _reported(self, call: Callable[[Any], T]) -> T:
        from grpc import RpcError
        from pymilvus.exceptions import MilvusException

        try:
            return call(self.connected())
        except (MilvusException, RpcError, SecretUnavailableError) as error:
            told = grpc_status(error) or type(error).__name__
            raise MemoryUnavailableError(f"vector store: {told}") from error


def grpc_status(error: BaseException) -> str | None:
    """The name of the status that a server answered with; None where there was no answer.

    pymilvus raises some errors from themselves, so causes may go in circles.
    """
    from grpc import RpcError

    seen: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in seen:
        if isinstance(at, RpcError):
            return str(at.code().name)
        seen.append(at)
        at = at.__cause__
    return None
