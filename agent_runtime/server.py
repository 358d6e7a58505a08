"""Serves one agent on its two ports, until SIGTERM; then lets running requests end."""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

from agent_runtime.api.operations import operations_app
from agent_runtime.app import build_app
from agent_runtime.assembly import AgentRuntime
from agent_runtime.kagent.mirror import mirror
from agent_runtime.memory.ports import MemoryUnavailableError
from agent_runtime.runs.worker import LAST_SECONDS
from agent_runtime.settings import SettingsError
from agent_runtime.stopping import stopped
from agent_runtime.tools.following import following_tools, referenced, resolver

_BACKLOG = 1024

_log = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the signals to this module, since there are two of them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listener(host: str, port: int) -> socket.socket:
    """A socket that listens on exactly `host`. Raises SettingsError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise SettingsError(f"can't listen on {host}:{port}: {error.strerror}") from None
    bound.settimeout(0)
    return bound


async def serve(runtime: AgentRuntime, requests: socket.socket, operations: socket.socket) -> None:
    """Serve on two listening sockets; returns when asked to stop and everything is closed."""
    settings = runtime.settings
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    agent = http_server(build_app(runtime), settings.drain_seconds)
    health_app = operations_app(runtime.metrics.registry, lambda: not stop.is_set())
    health = http_server(health_app, 1)
    serving = [
        asyncio.create_task(agent.serve([requests])),
        asyncio.create_task(health.serve([operations])),
    ]
    _settle_memory()
    stopping = asyncio.create_task(stop.wait())
    warming = asyncio.create_task(_warm(runtime))
    following = asyncio.create_task(_follow(runtime))
    mirroring = asyncio.create_task(mirror(runtime))
    try:
        await asyncio.wait([*serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        _log.info("draining")
        # runs that end meanwhile still reach the clients that wait for them
        draining = asyncio.create_task(runtime.runs.drain(settings.drain_seconds - LAST_SECONDS))
        agent.should_exit = True
        await serving[0]
        await draining
        health.should_exit = True
        await serving[1]
    finally:
        await stopped(stopping, warming, following, mirroring)
        await runtime.close()
        await asyncio.to_thread(runtime.tracing.shutdown)


def _settle_memory() -> None:
    """What there is stays until the end: a collection looks only at what requests leave behind.

    With Python's own thresholds every other request pays for one.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


async def _warm(runtime: AgentRuntime) -> None:
    """Best effort: what can't be reached now is reached, or reported, when it is needed."""
    try:
        await runtime.runs.start()
        await runtime.warm()
    except MemoryUnavailableError as error:
        _log.warning("not reachable yet", extra={"fields": {"reason": str(error)}})


async def _follow(runtime: AgentRuntime) -> None:
    """Take changed Tools in, until cancelled."""
    document = runtime.document
    async with following_tools(
        runtime.settings,
        runtime.registry,
        resolver(document),
        known=referenced(document, runtime.tools),
        numbers=runtime.metrics.registry,
        name=runtime.metrics.agent,
        namespace=runtime.settings.namespace or document.metadata.namespace,
    ):
        await asyncio.Event().wait()


def http_server(
    app: ASGIApp, drain_seconds: float, *, lifespan: Literal["on", "off"] = "off"
) -> uvicorn.Server:
    """A server that logs through the runtime's own log and leaves signals alone."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        lifespan=lifespan,
        server_header=False,
        timeout_graceful_shutdown=max(1, int(drain_seconds)),
    )
    return _Server(config)
