"""From a tool as data to something that can be called."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from agent_runtime.memory.ports import LongTermMemory
from agent_runtime.tools.address_guard import AddressGuard
from agent_runtime.tools.agent_call import AgentCall
from agent_runtime.tools.api_call import ApiCall
from agent_runtime.tools.cluster_access import ClusterAccess
from agent_runtime.tools.guarded_http import GuardedClient
from agent_runtime.tools.person import Person
from agent_runtime.tools.port import BoundTool
from agent_runtime.tools.retrieval import Embedder, Retrieval
from agent_runtime.tools.sandbox import Sandbox
from agent_runtime.tools.sql import SqlQuery
from agents.tool import (
    AgentTool,
    ApiTool,
    Authored,
    CodeTool,
    HumanTool,
    McpTool,
    RetrievalTool,
)


@runtime_checkable
class Importer(Protocol):
    """A tool whose functions stand elsewhere: in an OpenAPI document, at an MCP server."""

    async def load(self) -> list[BoundTool]:
        """The functions that the document allows. Raises ToolImportError."""
        ...


@runtime_checkable
class Closable(Protocol):
    """What holds something open between calls."""

    async def close(self) -> None: ...


@dataclass(frozen=True)
class Surroundings:
    """What tools are bound to."""

    guard: AddressGuard
    http: GuardedClient
    secrets_dir: Path
    memory: LongTermMemory
    embedder: Embedder
    cluster: ClusterAccess | None = None
    """For sandboxes of the node; None: there are none here."""


def bound(tool: Authored, around: Surroundings) -> BoundTool | Importer:
    """The tool, or what gives the functions that it stands for. Nothing is connected yet."""
    if isinstance(tool, RetrievalTool):
        return Retrieval(tool, memory=around.memory, embedder=around.embedder)
    if isinstance(tool, HumanTool):
        return Person(tool)
    if isinstance(tool, CodeTool):
        return _code(tool, around)
    if isinstance(tool, AgentTool):
        return AgentCall(tool, http=around.http, secrets_dir=around.secrets_dir)
    if isinstance(tool, ApiTool) and not tool.config.grpc:
        return ApiCall(tool, http=around.http, secrets_dir=around.secrets_dir)
    return _with_extras(tool, around)


def _code(tool: CodeTool, around: Surroundings) -> BoundTool:
    if tool.config.language == "sql":
        return SqlQuery(tool)
    if tool.config.sandbox is None:
        return Sandbox(tool)
    from agent_runtime.tools.sandbox_claim import SandboxClaimCall

    if around.cluster is None:
        raise ValueError(f"tool {tool.name!r}: no access to a cluster with sandboxes")
    return SandboxClaimCall(tool, tool.config.sandbox, around.cluster)


def _with_extras(tool: Authored, around: Surroundings) -> BoundTool | Importer:
    """Tools whose libraries are only paid for by agents that have them."""
    if isinstance(tool, ApiTool):
        from agent_runtime.tools.grpc_call import GrpcCall

        return GrpcCall(tool, guard=around.guard, secrets_dir=around.secrets_dir)
    if isinstance(tool, McpTool):
        from agent_runtime.tools.mcp_server_tool import McpServerTool

        return McpServerTool(tool, guard=around.guard, secrets_dir=around.secrets_dir)
    from agent_runtime.tools.openapi_import import OpenApiImport

    if isinstance(tool, HumanTool | CodeTool | RetrievalTool | AgentTool):
        raise TypeError(f"tool {tool.name!r} of type {tool.type} is bound elsewhere")
    return OpenApiImport(tool, http=around.http, secrets_dir=around.secrets_dir)
