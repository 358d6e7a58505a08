"""Milvus Lite as a Milvus server on one address, with a log line for each call.

Its engine allows one writer at a time in a collection, so writes wait for each other; collections
come back unloaded after a restart and are loaded before the port opens.
"""

import os
import signal
import threading
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from time import perf_counter
from typing import Any

import grpc
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from milvus_lite.db import MilvusLite
from milvus_lite.exceptions import DataDirLockedError, MilvusLiteError
from pymilvus.grpc_gen import milvus_pb2_grpc

from local.report import UserError
from local.workloads.log_lines import log, route_library_logs, trace_id_of
from local.workloads.serving import arguments, entry

LARGEST_MESSAGE = 64 * 1024 * 1024
CALLS_AT_ONCE = 10
STOP_SECONDS = 5
ENDING = (signal.SIGTERM, signal.SIGINT)
WRITES = (
    *("Insert", "Upsert", "Delete", "Truncate", "Flush", "ManualCompaction"),
    *("Create", "Drop", "Rename", "Alter", "Load", "Release"),
)
CHATTER = ("Connect", "CheckHealth", "Get", "Has", "Describe", "Show", "List")
"""The first words of methods that change something, and of those not worth a log line."""
TRACE_ID_LENGTH = 32


class CallLog(grpc.ServerInterceptor):  # type: ignore[misc] # grpc has no type information
    """Serialises writes and logs each call with the trace it belongs to.

    The trace id comes from the metadata `traceparent`, or from `client-request-id`, which is what
    Milvus clients can set.
    """

    def __init__(self) -> None:
        self._writing = threading.Lock()

    def intercept_service(
        self, continuation: Callable[[Any], Any], details: grpc.HandlerCallDetails
    ) -> Any:
        handler = continuation(details)
        if handler is None or handler.unary_unary is None:
            return handler
        method = details.method.rsplit("/", 1)[-1]
        trace_id = _trace_id(dict(details.invocation_metadata or ()))

        def call(request: Any, context: grpc.ServicerContext) -> Any:
            began = perf_counter()
            response = None
            try:
                if method.startswith(WRITES):
                    with self._writing:
                        response = handler.unary_unary(request, context)
                else:
                    response = handler.unary_unary(request, context)
            except NotImplementedError:
                # The generated base class has set the status UNIMPLEMENTED already.
                context.abort(grpc.StatusCode.UNIMPLEMENTED, f"Milvus Lite has no {method}")
            finally:
                if not method.startswith(CHATTER):
                    _log_call(method, request, response, trace_id, perf_counter() - began)
            return response

        return grpc.unary_unary_rpc_method_handler(
            call,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


def _trace_id(metadata: dict[str, Any]) -> str | None:
    given = str(metadata.get("client-request-id", ""))
    if len(given) == TRACE_ID_LENGTH:
        given = f"00-{given}-{'0' * 15}1-01"
    return trace_id_of(str(metadata.get("traceparent", ""))) or trace_id_of(given)


def _log_call(
    method: str, request: Any, response: Any, trace_id: str | None, seconds: float
) -> None:
    status = getattr(response, "status", response)
    code = getattr(status, "code", None)
    log(
        "call",
        method=method,
        collection=getattr(request, "collection_name", "") or None,
        filter=(getattr(request, "dsl", "") or getattr(request, "expr", ""))[:200] or None,
        hits=_hits(response) if method in ("Search", "HybridSearch") else None,
        code=code if isinstance(code, int) else -1,
        reason=str(getattr(status, "reason", ""))[:200] or None,
        duration_ms=round(seconds * 1000, 1),
        trace_id=trace_id,
    )


def _hits(response: Any) -> int | None:
    results = getattr(response, "results", None)
    return sum(results.topks) if results is not None else None


def load_all(database: MilvusLite) -> list[str]:
    """Load every collection that a restart left unloaded; gives `database/collection` names."""
    loaded: list[str] = []
    for place in database.list_databases():
        for name in database.list_collections(database_name=place):
            try:
                database.get_collection(name, database_name=place).load()
            except MilvusLiteError as error:
                log("not loaded", level="error", collection=f"{place}/{name}", reason=str(error))
            else:
                loaded.append(f"{place}/{name}")
    return loaded


def build_server(database: MilvusLite, address: str) -> tuple[grpc.Server, int]:
    """A server on `database`, bound but not started, and its port."""
    size = LARGEST_MESSAGE
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=CALLS_AT_ONCE),
        interceptors=[CallLog()],
        options=[
            ("grpc.max_receive_message_length", size),
            ("grpc.max_send_message_length", size),
            ("grpc.so_reuseport", 0),
            # pymilvus pings idle connections every ten seconds; the default calls that an attack.
            ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_ping_strikes", 0),
        ],
    )
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(MilvusServicer(database), server)
    try:
        return server, server.add_insecure_port(address)
    except RuntimeError as error:
        raise UserError(
            f"cannot listen on {address}; give an address of this machine and a free port"
        ) from error


def open_database(folder: Path) -> MilvusLite:
    """The database in `folder`; UserError where another process has it or it can't be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return MilvusLite(str(folder))
    except DataDirLockedError as error:
        raise UserError(f"{folder} is in use by another process; stop it first") from error
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror}; is its volume mounted?") from error


def main() -> None:
    parser = arguments("vector_store", "Run a Milvus Lite server.")
    parser.add_argument("--data-dir", type=Path, required=True)
    options = parser.parse_args()
    route_library_logs()
    # Blocked before any thread is made, so that only the `sigwait` below ever sees them.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    database = open_database(options.data_dir)
    try:
        server, port = build_server(database, f"{options.host}:{options.port}")
        loaded = load_all(database)
        server.start()
        address = f"{options.host}:{port}"
        log("listening", program="vector_store", address=address, loaded=loaded)
        signal.sigwait(ENDING)
        server.stop(grace=STOP_SECONDS).wait(2 * STOP_SECONDS)
    finally:
        database.close()
    log("stopped", program="vector_store")
    # A call that outlived its grace would keep the interpreter waiting for its thread.
    os._exit(0)


if __name__ == "__main__":
    entry(main)
