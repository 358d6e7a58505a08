"""Tools that live elsewhere: functions of an MCP server, and other agents."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from agents.api_tool import fixed_host
from agents.model import DocumentModel, Duration, seconds
from agents.tool_base import (
    Authentication,
    FunctionName,
    SideEffect,
    ToolBase,
    ToolName,
    declares,
    refuses_parameters,
)

HttpEndpoint = Annotated[str, Field(pattern=r"^https?://[^\s{}]+$", max_length=2048)]


class McpFunction(DocumentModel):
    """A function of the server that the agent may call; its own hints are not believed."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    side_effect: SideEffect = "write"
    requires_approval: bool = False
    schema_hash: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    """Of name, description and input schema. A function that the server has changed since is not
    offered; the log tells the new hash. Default: what the server said first counts."""


class OAuthClient(DocumentModel):
    """What the calls are to an authorization server: a client with a secret (client credentials).

    Where the tokens are asked for is looked up as MCP says, at the server and at the issuer; the
    secret goes to no other issuer than this one, whatever the server says.
    """

    issuer: HttpEndpoint
    """Exactly as the authorization server writes it in its metadata."""
    client_id: Annotated[str, Field(min_length=1, max_length=256)]
    scope: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """Scopes to ask for, separated by spaces. Default: those that the server names."""


class McpConfig(DocumentModel):
    """An MCP server over streamable HTTP."""

    endpoint: HttpEndpoint
    functions: Annotated[tuple[McpFunction, ...], Field(min_length=1, max_length=64)]
    """The only functions offered, whatever else the server has."""
    timeout: Duration = "30s"
    """Hard end of each call, connecting included."""
    max_response_bytes: Annotated[int, Field(ge=256, le=1_048_576)] = 65_536
    oauth: OAuthClient | None = None
    """The Secret of `authentication` is then this client's secret. Default: it is a token that goes
    along as it is."""

    @field_validator("endpoint")
    @classmethod
    def _host_is_fixed(cls, value: str) -> str:
        return fixed_host(value)

    @field_validator("functions", mode="before")
    @classmethod
    def _bare_names(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        return [{"name": each} if isinstance(each, str) else each for each in value]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [each.name for each in self.functions]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"function {twice[0]!r} is listed twice")
        return self


class McpToolSpec(ToolBase):
    """Functions of an MCP server, each offered as `<tool>_<function>`."""

    type: Literal["mcp"]
    config: McpConfig
    authentication: Authentication | None = None

    @property
    def effect(self) -> SideEffect:
        return self.side_effect or "write"

    @model_validator(mode="after")
    def _brings_parameters(self) -> Self:
        return refuses_parameters(self, "they come from the MCP server")

    @model_validator(mode="after")
    def _a_client_has_a_secret(self) -> Self:
        if self.config.oauth is not None and self.authentication is None:
            raise ValueError("config.oauth needs authentication: the Secret of the client")
        return self


class McpTool(McpToolSpec):
    """An mcp tool with its name, as an agent lists it."""

    name: ToolName

    @property
    def timeout_seconds(self) -> float:
        return seconds(self.config.timeout)


class McpFunctionTool(ToolBase):
    """One function of an MCP server as its server described it; never written by an author."""

    type: Literal["mcp-function"] = "mcp-function"
    name: FunctionName
    function: str
    """Its name at the server."""
    input_schema: dict[str, Any]
    timeout: Duration
    max_response_bytes: int

    @property
    def timeout_seconds(self) -> float:
        return seconds(self.timeout)


class AgentConfig(DocumentModel):
    """Another agent, asked over A2A (JSON-RPC, version 1.0)."""

    endpoint: HttpEndpoint
    """Where its JSON-RPC is, such as `http://ai-gateway.ai-gateway/a2a/billing-agent`."""
    timeout: Duration = "60s"
    """Hard end of the call; what is left of the asking run's own time is never exceeded."""
    max_response_bytes: Annotated[int, Field(ge=256, le=1_048_576)] = 65_536

    @field_validator("endpoint")
    @classmethod
    def _host_is_fixed(cls, value: str) -> str:
        return fixed_host(value)


class AgentToolSpec(ToolBase):
    """Asks another agent and hands on its answer."""

    type: Literal["agent"]
    config: AgentConfig
    authentication: Authentication | None = None

    @property
    def effect(self) -> SideEffect:
        return self.side_effect or "write"

    @model_validator(mode="after")
    def _message_is_declared(self) -> Self:
        return declares(self, "message")


class AgentTool(AgentToolSpec):
    """An agent tool with its name, as an agent lists it."""

    name: ToolName

    @property
    def timeout_seconds(self) -> float:
        return seconds(self.config.timeout)
