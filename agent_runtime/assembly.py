"""Puts the parts of one agent together, from its settings and documents."""

from dataclasses import dataclass
from functools import partial

from agent_runtime.agent.execution import Parts, execution
from agent_runtime.agent.model_client import ModelClient
from agent_runtime.auth import Authenticator, authenticator
from agent_runtime.knowledge.embedding import PaddedEmbedder
from agent_runtime.memory.approval_desk import ApprovalDesk
from agent_runtime.memory.approvals import ApprovalStore, InProcessApprovals
from agent_runtime.memory.audit import AuditTrail, InProcessAudit
from agent_runtime.memory.long_term import MilvusLongTermMemory
from agent_runtime.memory.session_store import SessionStore
from agent_runtime.memory.tools import AssembledFacts, assemble_facts
from agent_runtime.runs.setup import RunningService, build_runs
from agent_runtime.settings import Settings
from agent_runtime.telemetry.metrics import Metrics
from agent_runtime.telemetry.tracing import Tracing
from agent_runtime.tools.address_guard import AddressGuard
from agent_runtime.tools.cluster_access import ClusterAccess
from agent_runtime.tools.registry import ToolRegistry, bind
from agents.document import AgentDocument
from agents.tool import Authored, RetrievalTool


@dataclass(frozen=True)
class AgentRuntime:
    """One agent, ready to be served."""

    settings: Settings
    document: AgentDocument
    tools: tuple[Authored, ...]
    runs: RunningService
    authenticator: Authenticator
    approvals: ApprovalStore
    desk: ApprovalDesk
    metrics: Metrics
    tracing: Tracing
    client: ModelClient
    registry: ToolRegistry
    knowledge: MilvusLongTermMemory
    facts: AssembledFacts
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
        if self.facts.facts or any(isinstance(tool, RetrievalTool) for tool in self.tools):
            await self.knowledge.warm()

    async def close(self) -> None:
        await self.runs.close()
        await self.registry.close()
        await self.facts.close()
        await self.client.close()
        if self.sessions:
            await self.sessions.close()
        self.knowledge.close()


def assemble(
    settings: Settings, document: AgentDocument, tools: tuple[Authored, ...]
) -> AgentRuntime:
    """Nothing is connected yet: every part connects when it is first used."""
    name = settings.name or document.metadata.name
    metrics = Metrics(name)
    dropped = metrics.spans_dropped.labels(name)
    namespace = settings.namespace or document.metadata.namespace
    tracing = Tracing(settings, name, namespace, dropped)
    client = ModelClient(settings, metrics)
    knowledge = MilvusLongTermMemory.from_settings(settings)
    embedder = PaddedEmbedder(settings, client, tracing)
    facts = assemble_facts(document, knowledge, embedder, metrics)
    registry = bind(
        tools,
        guard=AddressGuard(settings.allowed_hosts),
        secrets_dir=settings.secrets_dir,
        memory=knowledge,
        embedder=embedder,
        extra=facts.tools,
        cluster=ClusterAccess.from_settings(settings, namespace),
    )
    sessions = SessionStore(settings, document) if document.spec.memory else None
    approvals: ApprovalStore = sessions.approvals if sessions else InProcessApprovals()
    audit: AuditTrail = sessions.audit if sessions else InProcessAudit(document.metadata.name)
    desk = ApprovalDesk(approvals, audit)
    parts = Parts(
        settings=settings,
        document=document,
        client=client,
        registry=registry,
        desk=desk,
        checkpoints=sessions.checkpoints if sessions else None,
        metrics=metrics,
        tracing=tracing,
    )
    memory = document.spec.memory
    runs = build_runs(
        settings,
        partial(execution, parts),
        store=sessions.runs if sessions else None,
        required=memory is None or memory.required,
        metrics=metrics,
    )
    return AgentRuntime(
        settings=settings,
        document=document,
        tools=tools,
        runs=runs,
        authenticator=authenticator(settings),
        approvals=approvals,
        desk=desk,
        metrics=metrics,
        tracing=tracing,
        client=client,
        registry=registry,
        knowledge=knowledge,
        facts=facts,
        sessions=sessions,
    )
