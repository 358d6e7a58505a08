"""Starts following the source of Tools that the settings name."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry

from agent_runtime.settings import Settings
from agent_runtime.tools.cluster_access import ClusterAccess
from agent_runtime.tools.registry import ToolRegistry
from agent_runtime.tools.tool_files import ToolFiles
from agent_runtime.tools.tool_follower import Resolve, ToolFollower, followed
from agent_runtime.tools.tool_metrics import ToolMetrics
from agent_runtime.tools.tool_watch import ToolWatch
from agents.document import (
    TOOL_API_VERSION,
    AgentDocument,
    ToolDocument,
    ToolReference,
    resolve_tools,
)
from agents.tool import Authored


@asynccontextmanager
async def following_tools(
    settings: Settings,
    registry: ToolRegistry,
    resolve: Resolve,
    *,
    known: list[ToolDocument],
    numbers: CollectorRegistry,
    name: str,
    namespace: str,
) -> AsyncIterator[ToolFollower | None]:
    """Around the serving of a registry: its Tools change while the block runs."""
    if settings.tool_watch == "off":
        yield None
        return
    metrics = ToolMetrics(numbers, name)
    follower = ToolFollower(registry, resolve, known=known, metrics=metrics)
    if settings.tool_watch == "files":
        async with followed(follower, ToolFiles([settings.tools])):
            yield follower
        return
    access = ClusterAccess.from_settings(settings, namespace)
    watch = ToolWatch(access, report_status=settings.tool_status)
    try:
        async with followed(follower, watch):
            yield follower
    finally:
        await watch.close()


def resolver(document: AgentDocument) -> Resolve:
    """The tools of one agent, the ones that it lists by name taken from `tools`."""

    def resolve(tools: list[ToolDocument]) -> tuple[Authored, ...]:
        return resolve_tools(document, tools)

    return resolve


def referenced(document: AgentDocument, tools: Sequence[Authored]) -> list[ToolDocument]:
    """The registered Tools behind the tools that an agent began with."""
    by_name = {each.name for each in document.spec.tools if isinstance(each, ToolReference)}
    return tool_documents((each for each in tools if each.name in by_name), document)


def tool_documents(tools: Iterable[Authored], document: AgentDocument) -> list[ToolDocument]:
    """Tools of the agent's namespace as they would be registered."""
    place = {"namespace": document.metadata.namespace}
    return [
        ToolDocument.model_validate(
            {
                "apiVersion": TOOL_API_VERSION,
                "kind": "Tool",
                "metadata": {"name": each.name, **place},
                "spec": each.model_dump(by_alias=True, exclude={"name"}, exclude_unset=True),
            }
        )
        for each in tools
    ]
