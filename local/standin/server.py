"""Serving one plugin: the port on standard output, the engine's log, the end with the engine."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from local.standin.protocol import empty_pb2, engine_pb2, engine_pb2_grpc

# The engine's own limit for messages (sdk/go/common/util/rpcutil): 400 MB.
OPTIONS = [
    ("grpc.max_receive_message_length", 400 << 20),
    ("grpc.max_send_message_length", 400 << 20),
    ("grpc.so_reuseport", 0),
]
PARENT_CHECK_SECONDS = 1.0


class EngineLog:
    """Lines for the person at the CLI, shown under the resource they belong to."""

    def __init__(self, address: str | None) -> None:
        self.address = address or ""
        self._stub: Any = None
        if address:
            channel = grpc.insecure_channel(address, options=OPTIONS)
            self._stub = engine_pb2_grpc.EngineStub(channel)

    def info(self, text: str, urn: str = "") -> None:
        self._log(engine_pb2.INFO, text, urn)

    def warning(self, text: str, urn: str = "") -> None:
        self._log(engine_pb2.WARNING, text, urn)

    def error(self, text: str, urn: str = "") -> None:
        """Makes the operation end as failed, but lets it go on until then."""
        self._log(engine_pb2.ERROR, text, urn)

    def status(self, text: str, urn: str = "") -> None:
        """A line that the next one replaces."""
        self._log(engine_pb2.INFO, text, urn, ephemeral=True)

    def _log(self, severity: Any, text: str, urn: str, *, ephemeral: bool = False) -> None:
        if self._stub is None:
            return
        request = engine_pb2.LogRequest(
            severity=severity, message=text, urn=urn, ephemeral=ephemeral
        )
        try:
            self._stub.Log(request, timeout=5)
        except grpc.RpcError:
            self._stub = None  # the engine is going away; nobody reads any more


def serve(register: Callable[[Any, EngineLog], Callable[[], None]]) -> int:
    """Run until the engine is gone; `register(server, log)` adds the service, returns its shutdown.

    Prints the port as the protocol wants it: one line, alone, on standard output.
    """
    addresses = [word for word in sys.argv[1:] if not word.startswith("-")]
    log = EngineLog(addresses[0] if addresses else None)
    server = grpc.server(ThreadPoolExecutor(max_workers=32), options=OPTIONS)
    shutdown = register(server, log)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    over = threading.Event()
    # The engine ends its plugins by an interrupt and waits 5 s before it kills; each one leads a
    # process group of its own, so a terminal's Ctrl-C does not come here.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    _wait_for_end(over)
    shutdown()
    server.stop(grace=0.2)
    return 0


def _wait_for_end(over: threading.Event) -> None:
    # A killed engine can't say goodbye: its plugin notices that it has another parent.
    parent = os.getppid()
    while not over.wait(PARENT_CHECK_SECONDS):
        if os.getppid() != parent:
            return


def empty() -> Any:
    """The protocol's answer without content."""
    return empty_pb2.Empty()
