"""The Analyzer service in front of a policy pack: the pack starts once the stack is known.

A pack reads the stack's configuration from its environment, and the engine tells it by a call: so
the engine gets this proxy's port, and the pack gets every other call as it came.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from pulumi.runtime.proto import analyzer_pb2

from local.standin.server import OPTIONS

SERVICE = "pulumirpc.Analyzer"
START_SECONDS = 120.0
"""Many times what a pack needs to be imported on a busy machine."""


class NoPackError(Exception):
    """The pack could not be started; the text is for people."""


class AnalyzerProxy(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Answers `Handshake` and `ConfigureStack` itself; every other call waits for the pack."""

    def __init__(self) -> None:
        self._configured = threading.Event()
        self._attached = threading.Event()
        self._stack = b""
        self._channel: Any = None
        self._failure = ""
        self._server = grpc.server(ThreadPoolExecutor(max_workers=8), options=OPTIONS)
        self._server.add_generic_rpc_handlers((self,))
        self.port: int = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def service(self, call: Any) -> Any:
        """How one call is answered; messages stay the bytes that they are on the wire."""
        service, _, method = call.method.strip("/").rpartition("/")
        if service != SERVICE:
            return None

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            if method == "Handshake":
                return b""
            if method == "ConfigureStack":
                self._stack = request
                self._configured.set()
                return b""
            return self._forward(method, request, context)

        return grpc.unary_unary_rpc_method_handler(answer)

    def stack(self) -> Any:
        """What the engine says about the stack; empty when it asks for the policies at once."""
        self._configured.wait(START_SECONDS)
        return analyzer_pb2.AnalyzerStackConfigureRequest.FromString(self._stack)

    def attach(self, port: int) -> None:
        """Hand every waiting call to the pack that serves at `port`."""
        channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS)
        if self._stack:
            channel.unary_unary(f"/{SERVICE}/ConfigureStack")(self._stack)
        self._channel = channel
        self._attached.set()

    def fail(self, why: str) -> None:
        """Let every waiting call end with `why`."""
        self._failure = why
        self._configured.set()
        self._attached.set()

    def stop(self) -> None:
        """No call is answered any more."""
        if not self._attached.is_set():
            self.fail("the policy pack was stopped")
        self._server.stop(grace=0)
        if self._channel is not None:
            self._channel.close()

    def _forward(self, method: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        self._configured.set()
        self._attached.wait(START_SECONDS)
        if self._channel is None:
            why = self._failure or "the policy pack did not start"
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, why)
        try:
            answered: bytes = self._channel.unary_unary(f"/{SERVICE}/{method}")(request)
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())
        return answered
