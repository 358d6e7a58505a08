"""How an HTTP program of the data plane runs: its arguments, its listener, its end."""

import argparse
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.report import UserError
from local.workloads.log_lines import log, route_library_logs, trace_id_of

STOP_SECONDS = 5
QUIET_PATHS = ("/health", "/healthz", "/readyz", "/metrics")
LOG_FIELDS = "log_fields"


def arguments(program: str, description: str) -> argparse.ArgumentParser:
    """The arguments that every program takes; the host has no default on purpose."""
    parser = argparse.ArgumentParser(
        f"python -m local.workloads.{program}", description=description
    )
    parser.add_argument("--host", required=True, help="the one address to listen on")
    parser.add_argument("--port", required=True, type=int)
    return parser


def model_arguments(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """The names of a model server: what it serves, and under which public names."""
    parser.add_argument("--model", default=default, help="the model's own name")
    parser.add_argument(
        "--served-name", nargs="+", action="extend", default=[], help="public names; default: own"
    )


def entry(main: Callable[[], None]) -> NoReturn:
    """Run a program; a mistake of its user is one line each on standard error and exit code 2."""
    try:
        main()
    except UserError as mistake:
        for line in mistake.lines:
            sys.stderr.write(f"error: {line}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def end_on_sigterm() -> None:
    """SIGTERM leads to a clean exit, wherever the program is."""

    def leave(*_: object) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)


def listener(host: str, port: int) -> socket.socket:
    """A socket that listens on exactly `host`; raises UserError where that can't be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise UserError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; "
            "give an address of this machine and a free port"
        ) from error
    bound.listen(128)
    bound.settimeout(0)
    return bound


class AccessLog:
    """Logs one line per request when it has ended, without holding back a stream.

    An endpoint adds fields through `request.state.log_fields`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        fields: dict[str, Any] = {}
        scope.setdefault("state", {})[LOG_FIELDS] = fields
        began, status = time.perf_counter(), 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            if scope["path"] not in QUIET_PATHS:
                _log_request(scope, status, time.perf_counter() - began, fields)


def _log_request(scope: Scope, status: int, seconds: float, fields: dict[str, Any]) -> None:
    headers = dict(scope["headers"])
    log(
        "request",
        method=scope["method"],
        path=scope["path"][:200],
        status=status,
        duration_ms=round(seconds * 1000, 1),
        trace_id=trace_id_of(headers.get(b"traceparent", b"").decode("latin-1")),
        tenant=headers.get(b"x-tenant-id", b"").decode("latin-1")[:64] or None,
        **fields,
    )


def configured(app: ASGIApp) -> uvicorn.Config:
    """The settings that every server here has; its log lines are ours."""
    return uvicorn.Config(
        AccessLog(app),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )


def serve(app: ASGIApp, *, name: str, host: str, port: int, **facts: Any) -> None:
    """Serve until SIGTERM; `facts` go into the line that says where the program listens."""
    end_on_sigterm()
    route_library_logs()
    bound = listener(host, port)
    port = bound.getsockname()[1]
    log("listening", program=name, url=f"http://{host}:{port}", **facts)
    uvicorn.Server(configured(app)).run(sockets=[bound])
    log("stopped", program=name)
