"""`tools-mcp`: serves every Tool of a namespace over MCP, without an agent around them."""

import asyncio
import logging
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass

from redis.asyncio import Redis
from starlette.applications import Starlette

from agent_runtime.agent.model_client import ModelClient
from agent_runtime.api.operations import operations_app
from agent_runtime.auth import authenticator
from agent_runtime.knowledge.embedding import PaddedEmbedder
from agent_runtime.memory.approval_desk import ApprovalDesk
from agent_runtime.memory.approvals import InProcessApprovals, RedisApprovals
from agent_runtime.memory.audit import InProcessAudit, RedisAudit
from agent_runtime.memory.long_term import MilvusLongTermMemory
from agent_runtime.memory.redis_store import connect
from agent_runtime.secret_file import SecretFile
from agent_runtime.settings import Settings
from agent_runtime.telemetry.metrics import Metrics
from agent_runtime.telemetry.tracing import Tracing
from agent_runtime.tools.address_guard import AddressGuard
from agent_runtime.tools.cluster_access import ClusterAccess
from agent_runtime.tools.following import following_tools
from agent_runtime.tools.mcp_endpoint import mcp_app
from agent_runtime.tools.registry import ToolRegistry, bind
from agent_runtime.tools.tool_desk import ToolDesk
from agents.document import ToolDocument
from agents.tool import Authored, named

DEFAULT_NAME = "tool-registry"
DEFAULT_NAMESPACE = "ai-agents"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ToolServer:
    """The registry with what it needs; nothing is connected yet."""

    settings: Settings
    documents: list[ToolDocument]
    registry: ToolRegistry
    approvals: ApprovalDesk
    metrics: Metrics
    tracing: Tracing
    client: ModelClient
    knowledge: MilvusLongTermMemory
    redis: Redis | None

    @property
    def name(self) -> str:
        return self.settings.name or DEFAULT_NAME

    @property
    def namespace(self) -> str:
        return self.settings.namespace or DEFAULT_NAMESPACE

    def app(self) -> Starlette:
        """What clients talk to; everything is closed when it stops."""
        return mcp_app(
            ToolDesk(self.registry, self.approvals),
            self.approvals,
            authenticator(self.settings),
            name=f"{self.namespace}/{self.name}",
            version=self.settings.version,
            host=self.settings.bind_host,
            sessions=self.settings.mcp_sessions,
            close=self.close,
        )

    async def close(self) -> None:
        await self.registry.close()
        await self.client.close()
        self.knowledge.close()
        if self.redis is not None:
            await self.redis.aclose()


def assemble_tools(settings: Settings, documents: list[ToolDocument]) -> ToolServer:
    """A server of these Tools; approvals are kept in Redis where AGENT_REDIS_HOST names one."""
    name = settings.name or DEFAULT_NAME
    metrics = Metrics(name)
    namespace = settings.namespace or DEFAULT_NAMESPACE
    tracing = Tracing(settings, name, namespace, metrics.spans_dropped.labels(name))
    client = ModelClient(settings, metrics)
    knowledge = MilvusLongTermMemory.from_settings(settings)
    registry = bind(
        every_tool(documents),
        guard=AddressGuard(settings.allowed_hosts),
        secrets_dir=settings.secrets_dir,
        memory=knowledge,
        embedder=PaddedEmbedder(settings, client, tracing),
        cluster=ClusterAccess.from_settings(settings, namespace),
    )
    redis = _redis(settings)
    desk = ApprovalDesk(
        InProcessApprovals() if redis is None else RedisApprovals(redis, name),
        InProcessAudit(name) if redis is None else RedisAudit(redis, name),
    )
    return ToolServer(
        settings, documents, registry, desk, metrics, tracing, client, knowledge, redis
    )


def every_tool(documents: list[ToolDocument]) -> tuple[Authored, ...]:
    """All Tools, by name."""
    return tuple(named(each.metadata.name, each.spec) for each in documents)


async def serve_tools(server: ToolServer, requests: socket.socket, numbers: socket.socket) -> None:
    """Serve on two listening sockets until SIGTERM."""
    from agent_runtime.server import http_server

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    public = http_server(server.app(), server.settings.drain_seconds, lifespan="on")
    stopping = asyncio.create_task(stop.wait())
    serving: list[asyncio.Task[None]] = []
    try:
        async with following_tools(
            server.settings,
            server.registry,
            every_tool,
            known=server.documents,
            numbers=server.metrics.registry,
            name=server.name,
            namespace=server.namespace,
        ) as follower:

            def ready() -> bool:
                # a client that lists tools before the first list arrived would see none
                return not stop.is_set() and (follower is None or follower.began)

            health = http_server(operations_app(server.metrics.registry, ready), 1)
            serving += [
                asyncio.create_task(public.serve([requests])),
                asyncio.create_task(health.serve([numbers])),
            ]
            await asyncio.wait([*serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        _log.info("draining")
        public.should_exit = health.should_exit = True
        await asyncio.gather(*serving)
    finally:
        stopping.cancel()
        with suppress(asyncio.CancelledError):
            await stopping
        await asyncio.to_thread(server.tracing.shutdown)


def _redis(settings: Settings) -> Redis | None:
    if settings.redis_host is None:
        return None
    password = settings.redis_password_file
    return connect(
        settings.redis_host,
        settings.redis_port or 6379,
        password=SecretFile(password) if password else None,
        tls=settings.redis_tls,
        ca_file=settings.redis_ca_file,
    )
