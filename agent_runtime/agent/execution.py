"""What works on an agent's runs: the built-in loop, or the tenant's own graph or crew."""

from dataclasses import dataclass

from langgraph.checkpoint.base import BaseCheckpointSaver

from agent_runtime.agent.accounts import Accounts
from agent_runtime.agent.engine import Engine
from agent_runtime.agent.graph import build_graph
from agent_runtime.agent.model_client import ModelClient
from agent_runtime.agent.model_step import ModelStep
from agent_runtime.agent.pricing import Prices
from agent_runtime.agent.tool_step import ToolStep
from agent_runtime.memory.approval_desk import ApprovalDesk
from agent_runtime.runs.faults import Faults
from agent_runtime.runs.worker import Execution
from agent_runtime.settings import Settings
from agent_runtime.telemetry.metrics import Metrics
from agent_runtime.telemetry.tracing import Tracing
from agent_runtime.tools.registry import ToolRegistry
from agents.document import AgentDocument


@dataclass(frozen=True)
class Parts:
    """What an execution is made of."""

    settings: Settings
    document: AgentDocument
    client: ModelClient
    registry: ToolRegistry
    desk: ApprovalDesk
    checkpoints: BaseCheckpointSaver[str] | None
    metrics: Metrics
    tracing: Tracing


def execution(parts: Parts, degraded: tuple[str, ...]) -> Execution:
    """`degraded` names what it has to do without, for its results to tell."""
    spec = parts.document.spec
    accounts = Accounts(model=spec.model.name, metrics=parts.metrics, tracing=parts.tracing)
    if spec.entrypoint and spec.framework == "crewai":
        from agent_runtime.agent.own_crew import OwnCrew, load_crew

        crew = load_crew(spec.entrypoint)
        return OwnCrew(parts.document, crew, accounts=accounts, degraded=degraded)
    if spec.entrypoint:
        from agent_runtime.agent.own_graph import OwnGraph, load_graph

        saver = None if degraded else parts.checkpoints
        graph = load_graph(spec.entrypoint, saver)
        return OwnGraph(
            parts.document, graph, desk=parts.desk, accounts=accounts, degraded=degraded
        )
    faults = Faults(parts.settings.fault)
    model_step = ModelStep(
        spec,
        client=parts.client,
        prices=Prices.from_catalog(parts.settings.catalog),
        metrics=parts.metrics,
        tracing=parts.tracing,
        faults=faults,
        window_tokens=parts.settings.context_tokens,
    )
    tool_step = ToolStep(
        desk=parts.desk, metrics=parts.metrics, tracing=parts.tracing, faults=faults
    )
    return Engine(
        parts.document,
        build_graph(model_step, tool_step),
        registry=parts.registry,
        accounts=accounts,
        degraded=degraded,
    )
