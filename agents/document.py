"""The Agent and Tool documents: what a tenant writes to ship an agent, without code."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Literal, Self

import yaml
from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from agents.errors import DocumentError, Mistake
from agents.location import mistakes_of
from agents.memory_tool import LongTermMemoryConfig
from agents.model import DocumentModel, Duration, Metadata, ObjectName, Quantity, seconds
from agents.output import Output
from agents.tool import (
    AgentTool,
    ApiTool,
    Authored,
    CodeTool,
    HumanTool,
    McpTool,
    OpenApiTool,
    RetrievalTool,
    SecretKey,
    Tool,
    ToolName,
    ToolSpec,
    named,
)
from agents.yaml_source import parse

AGENT_API_VERSION = "kagent.dev/v1alpha1"
TOOL_GROUP = "tools.kagent.dev"
TOOL_API_VERSION = f"{TOOL_GROUP}/v1alpha1"


class Model(DocumentModel):
    """The model that an agent thinks with, by its public name at the gateway."""

    provider: Literal["openai"] = "openai"
    """The protocol spoken to the gateway."""
    name: Annotated[str, Field(min_length=1, max_length=128)]
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    max_tokens: Annotated[int, Field(ge=1, le=1_048_576)] = 4096
    fallbacks: tuple[Annotated[str, Field(min_length=1, max_length=128)], ...] = ()
    """Models asked in this order when `name` fails."""


class MemoryConfig(DocumentModel):
    """Where short-term memory lives and how much of it is kept."""

    host: Annotated[str, Field(min_length=1, max_length=253)] = (
        "redis-master.ai-data.svc.cluster.local"
    )
    port: Annotated[int, Field(ge=1, le=65535)] = 6379
    ttl: Annotated[int, Field(ge=1, le=31_536_000)] = 3600
    """Seconds after the last message."""
    max_history: Annotated[int, Field(ge=0, le=10_000)] = 50
    """Messages kept of a session."""


class Memory(DocumentModel):
    """Short-term memory: the conversation of a session."""

    type: Literal["redis"] = "redis"
    config: MemoryConfig = MemoryConfig()
    required: bool = True
    """false: while the store is down, questions are answered without it, and say so."""
    long_term: LongTermMemoryConfig | None = None
    """Default: nothing outlives a session."""


class Scaling(DocumentModel):
    """How many Pods serve the agent, and when there are more."""

    min_replicas: Annotated[int, Field(ge=0, le=1000)] = 2
    max_replicas: Annotated[int, Field(ge=1, le=1000)] = 10
    target_cpu_utilization: Annotated[int, Field(ge=1, le=100, alias="targetCPUUtilization")] = 70
    target_memory_utilization: Annotated[int, Field(ge=1, le=100)] = 80

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> Self:
        if self.min_replicas > self.max_replicas:
            raise ValueError(
                f"minReplicas {self.min_replicas} is above maxReplicas {self.max_replicas}"
            )
        return self


class Amounts(DocumentModel):
    """Quantities of compute."""

    cpu: Quantity
    memory: Quantity


class Resources(DocumentModel):
    """What one Pod of the agent asks for and may use at most."""

    requests: Amounts = Amounts(memory="512Mi", cpu="250m")
    limits: Amounts = Amounts(memory="1Gi", cpu="500m")


class Budget(DocumentModel):
    """Limits of one request; at a limit the agent answers with what it has."""

    steps: Annotated[int, Field(ge=1, le=200)] = 12
    """Calls of the model."""
    tool_calls: Annotated[int, Field(ge=0, le=500)] = 24
    tokens: Annotated[int, Field(ge=1, le=100_000_000)] = 100_000
    """Prompt and completion tokens together."""
    usd: Annotated[float, Field(gt=0)] | None = None
    """US dollars, by the catalogue's prices; a model without a price costs nothing here."""
    time: Duration = "2m"
    same_call: Annotated[int, Field(ge=1, le=100)] = 3
    """Times that the same tool may be called with the same arguments."""

    @property
    def seconds(self) -> float:
        return seconds(self.time)


class ToolReference(DocumentModel):
    """A registered Tool of the agent's namespace, by its name."""

    name: ToolName


def _tool_kind(value: object) -> str:
    """The type that an entry of `tools` names; without one it is a reference."""
    if isinstance(value, dict):
        return str(value["type"]) if "type" in value else "reference"
    return str(getattr(value, "type", "reference"))


ListedTool = Annotated[
    Annotated[ApiTool, Tag("api")]
    | Annotated[RetrievalTool, Tag("retrieval")]
    | Annotated[CodeTool, Tag("code")]
    | Annotated[HumanTool, Tag("human")]
    | Annotated[OpenApiTool, Tag("openapi")]
    | Annotated[McpTool, Tag("mcp")]
    | Annotated[AgentTool, Tag("agent")]
    | Annotated[ToolReference, Tag("reference")],
    Discriminator(_tool_kind),
]


class AgentSpec(DocumentModel):
    """What an agent is."""

    model: Model
    description: str = ""
    """Shown on the agent card."""
    system_prompt: str = ""
    tools: tuple[ListedTool, ...] = ()
    """Inline, or `{name: …}` (or the bare name) of a registered Tool."""
    memory: Memory | None = None
    """Default: each request stands alone."""
    scaling: Scaling = Scaling()
    resources: Resources = Resources()
    budget: Budget = Budget()
    output: Output = Output()
    framework: Literal["builtin", "langgraph", "crewai"] = "builtin"
    """langgraph, crewai: `entrypoint` runs instead of the built-in loop."""
    entrypoint: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")] | None = None
    """`package.module:name` of a compiled LangGraph graph, or of a Crew, in the image."""

    @model_validator(mode="after")
    def _entrypoint_belongs_to_its_framework(self) -> Self:
        if (self.framework == "builtin") != (self.entrypoint is None):
            raise ValueError(
                "entrypoint and a framework other than builtin go together: give both or neither"
            )
        return self

    @field_validator("tools", mode="before")
    @classmethod
    def _bare_names(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        return [{"name": each} if isinstance(each, str) else each for each in value]

    @model_validator(mode="after")
    def _tool_names_differ(self) -> Self:
        names = [tool.name for tool in self.tools]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"tool {twice[0]!r} is listed twice")
        return self


class AgentDocument(DocumentModel):
    """An agent as its author writes it."""

    api_version: Literal["kagent.dev/v1alpha1"]
    kind: Literal["Agent"]
    metadata: Metadata
    spec: AgentSpec


class ToolDocument(DocumentModel):
    """A registered tool that any agent of its namespace may list by name."""

    api_version: Literal["kagent.dev/v1alpha1", "tools.kagent.dev/v1alpha1"]
    kind: Literal["Tool"]
    metadata: Metadata
    spec: ToolSpec


Document = AgentDocument | ToolDocument
KINDS: dict[str, type[AgentDocument] | type[ToolDocument]] = {
    "Agent": AgentDocument,
    "Tool": ToolDocument,
}


def load_documents(text: str, *, source: str = "<text>") -> list[Document]:
    """The documents of a YAML stream, in its order.

    DocumentError names every mistake of every document at once. `source` stands in its lines.
    """
    documents, mistakes = load_partly(text, source=source)
    if mistakes:
        raise DocumentError(mistakes)
    return documents


def load_partly(text: str, *, source: str) -> tuple[list[Document], list[Mistake]]:
    """The documents without a mistake, and the mistakes of the others.

    DocumentError where the text as a whole can't be read.
    """
    documents: list[Document] = []
    mistakes: list[Mistake] = []
    for parsed in parse(text, source):
        kind = parsed.data.get("kind") if isinstance(parsed.data, dict) else None
        model = KINDS.get(kind) if isinstance(kind, str) else None
        if model is None:
            found = f"kind {kind!r}" if kind is not None else "a document without a kind"
            problem = f"{found}; allowed: {', '.join(KINDS)}"
            mistakes.append(parsed.mistake(("kind",), "", problem))
            continue
        found_mistakes = mistakes_of(model, parsed)
        mistakes += found_mistakes
        if not found_mistakes:
            documents.append(model.model_validate(parsed.data))
    return documents, mistakes


def dump_documents(documents: Iterable[Document]) -> str:
    """YAML that `load_documents` reads back into equal documents."""
    data = (each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in documents)
    return yaml.safe_dump_all(data, sort_keys=False, allow_unicode=True)


def resolve_tools(agent: AgentDocument, registered: Iterable[ToolDocument]) -> tuple[Authored, ...]:
    """The agent's tools in its order, references replaced by the registered Tools.

    DocumentError names each reference that no Tool of the agent's namespace answers.
    """
    known = {
        tool.metadata.name: tool
        for tool in registered
        if tool.metadata.namespace == agent.metadata.namespace
    }
    tools: list[Authored] = []
    mistakes: list[Mistake] = []
    for index, tool in enumerate(agent.spec.tools):
        if not isinstance(tool, ToolReference):
            tools.append(tool)
        elif tool.name in known:
            tools.append(named(tool.name, known[tool.name].spec))
        else:
            problem = _unknown_tool(tool.name, agent.metadata.namespace, list(known))
            place = f"Agent {agent.metadata.name}"
            mistakes.append(Mistake(place, None, f"spec.tools[{index}]", problem))
    if mistakes:
        raise DocumentError(mistakes)
    return tuple(tools)


def _unknown_tool(name: str, namespace: ObjectName, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"registered: {', '.join(known) or 'none'}"
    return f"no Tool {name!r} is registered in namespace {namespace!r}; {hint}"


def secret_keys(tools: Iterable[Tool]) -> tuple[SecretKey, ...]:
    """The Secrets that these tools need mounted, each once, in the order of first use."""
    keys = [
        tool.authentication.secret_ref
        for tool in tools
        if isinstance(tool, ApiTool | OpenApiTool | McpTool | AgentTool) and tool.authentication
    ]
    return tuple(dict.fromkeys(keys))
