"""Puts the parts of one agent together, from its settings and documents."""

from dataclasses import dataclass

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from agent_runtime.agent.accounts import Accounts
from agent_runtime.agent.engine import Engine
from agent_runtime.agent.graph import build_graph
from agent_runtime.agent.model_client import ModelClient
from agent_runtime.agent.model_step import ModelStep
from agent_runtime.agent.pricing import Prices
from agent_runtime.agent.tool_step import ToolStep
from agent_runtime.auth import Authenticator, authenticator
from agent_runtime.knowledge.embedding import PaddedEmbedder
from agent_runtime.memory.approvals import ApprovalStore
from agent_runtime.memory.in_process import InProcessApprovals, NoShortTermMemory
from agent_runtime.memory.long_term import MilvusLongTermMemory
from agent_runtime.memory.ports import ShortTermMemory
from agent_runtime.memory.session_store import SessionStore
from agent_runtime.settings import Settings
from agent_runtime.telemetry.metrics import Metrics
from agent_runtime.telemetry.tracing import Tracing
from agent_runtime.tools.address_guard import AddressGuard
from agent_runtime.tools.registry import ToolRegistry, bind
from agents.document import AgentDocument
from agents.tool import RetrievalTool, Tool


@dataclass(frozen=True)
class AgentRuntime:
    """One agent, ready to be served."""

    settings: Settings
    document: AgentDocument
    tools: tuple[Tool, ...]
    engine: Engine
    authenticator: Authenticator
    approvals: ApprovalStore
    metrics: Metrics
    tracing: Tracing
    client: ModelClient
    registry: ToolRegistry
    knowledge: MilvusLongTermMemory
    sessions: SessionStore | None

    @property
    def name(self) -> str:
        """What callers name as the model."""
        return self.document.metadata.name

    @property
    def public_url(self) -> str:
        host, port = self.settings.bind_host, self.settings.port
        return self.settings.public_url or f"http://{host}:{port}/"

    async def warm(self) -> None:
        """Connect ahead of the first question to what the agent's tools need."""
        if any(isinstance(tool, RetrievalTool) for tool in self.tools):
            await self.knowledge.warm()

    async def close(self) -> None:
        await self.registry.close()
        await self.client.close()
        if self.sessions:
            await self.sessions.close()
        self.knowledge.close()


def assemble(settings: Settings, document: AgentDocument, tools: tuple[Tool, ...]) -> AgentRuntime:
    """Nothing is connected yet: every part connects when it is first used."""
    name = settings.name or document.metadata.name
    metrics = Metrics(name)
    dropped = metrics.spans_dropped.labels(name)
    namespace = settings.namespace or document.metadata.namespace
    tracing = Tracing(settings, name, namespace, dropped)
    client = ModelClient(settings, metrics)
    knowledge = MilvusLongTermMemory.from_settings(settings)
    registry = bind(
        tools,
        guard=AddressGuard(settings.allowed_hosts),
        secrets_dir=settings.secrets_dir,
        memory=knowledge,
        embedder=PaddedEmbedder(settings, client, tracing),
    )
    sessions = SessionStore(settings, document) if document.spec.memory else None
    approvals: ApprovalStore = sessions.approvals if sessions else InProcessApprovals()
    memory: ShortTermMemory = sessions.short_term if sessions else NoShortTermMemory()
    model_step = ModelStep(
        document.spec,
        client=client,
        functions=registry.functions,
        prices=Prices.from_catalog(settings.catalog),
        metrics=metrics,
        tracing=tracing,
    )
    tool_step = ToolStep(registry, metrics=metrics, tracing=tracing)
    saver = _checkpoints(registry, sessions)
    graph = build_graph(model_step, tool_step, document.spec.budget, checkpoints=saver)
    accounts = _accounts(settings, document, metrics, tracing)
    engine = Engine(document, graph, memory=memory, approvals=approvals, accounts=accounts)
    return AgentRuntime(
        settings=settings,
        document=document,
        tools=tools,
        engine=engine,
        authenticator=authenticator(settings),
        approvals=approvals,
        metrics=metrics,
        tracing=tracing,
        client=client,
        registry=registry,
        knowledge=knowledge,
        sessions=sessions,
    )


def _accounts(
    settings: Settings, document: AgentDocument, metrics: Metrics, tracing: Tracing
) -> Accounts:
    return Accounts(
        model=document.spec.model.name,
        metrics=metrics,
        tracing=tracing,
        max_running=settings.max_streams,
    )


def _checkpoints(
    registry: ToolRegistry, sessions: SessionStore | None
) -> BaseCheckpointSaver[str] | None:
    """Only an agent that can wait for a person pays for checkpoints."""
    if not registry.pauses:
        return None
    return sessions.checkpoints if sessions else InMemorySaver()
