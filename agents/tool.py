"""Tools: what an agent may do besides talking, as data."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from agents.api_tool import (
    ApiConfig,
    ApiTool,
    ApiToolSpec,
    ImportedApiTool,
    OpenApiTool,
    OpenApiToolSpec,
)
from agents.memory_tool import MemoryTool
from agents.model import DocumentModel, Duration, ObjectName, seconds
from agents.remote_tool import (
    AgentTool,
    AgentToolSpec,
    McpFunctionTool,
    McpTool,
    McpToolSpec,
)
from agents.tool_base import (
    ApprovalRule,
    Authentication,
    Parameter,
    SecretKey,
    SideEffect,
    ToolBase,
    ToolName,
    declares,
)

__all__ = [
    "TOOL_TYPES",
    "AgentTool",
    "ApiConfig",
    "ApiTool",
    "ApprovalRule",
    "Authentication",
    "Authored",
    "CodeTool",
    "HumanTool",
    "ImportedApiTool",
    "ListedSpec",
    "McpFunctionTool",
    "McpTool",
    "OpenApiTool",
    "Parameter",
    "RetrievalTool",
    "SecretKey",
    "SideEffect",
    "Tool",
    "ToolBase",
    "ToolName",
    "ToolSpec",
    "named",
]


class RetrievalConfig(DocumentModel):
    """A search in a collection of the vector store, always within the caller's tenant."""

    vector_store: Literal["milvus"] = "milvus"
    collection: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,254}$")]
    top_k: Annotated[int, Field(ge=1, le=50)] = 5
    min_score: Annotated[float, Field(ge=-1, le=1)] = 0.0
    """Cosine similarity below which a hit is left out."""
    timeout: Duration = "10s"
    on_unavailable: Literal["degrade", "fail"] = "degrade"
    """While the store is down. degrade: the model is told so and answers without it; fail: the
    request ends with an error."""


class SqlTable(DocumentModel):
    """A table that SQL may read, made anew from CSV for each call; the first line names columns."""

    csv: Annotated[str, Field(min_length=1, max_length=262_144)] | None = None
    """The rows themselves; give this or `file`."""
    file: Annotated[str, Field(pattern=r"^/\S+$", max_length=1024)] | None = None
    """A mounted CSV file, at most 32 MiB."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.csv is None) == (self.file is None):
            raise ValueError("give either csv or file")
        return self


TableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]


class SandboxPool(DocumentModel):
    """Sandboxes of the node (agents.x-k8s.io): each call has a Pod of its own, gone after it."""

    warm_pool: ObjectName
    """The SandboxWarmPool, in the namespace of whoever calls. Its template decides what the Pod may
    reach and use."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8888
    """Where the Pod's runtime answers `POST /execute`."""
    wait: Duration = "30s"
    """How long a Pod is waited for; the code's own time is `timeout`."""

    @property
    def wait_seconds(self) -> float:
        return seconds(self.wait)


class CodeConfig(DocumentModel):
    """A sandbox without files, network or other modules."""

    language: Literal["python", "sql"] = "python"
    """sql: one statement that reads the declared tables, in SQLite's dialect."""
    timeout: Duration = "1s"
    memory_mib: Annotated[int, Field(ge=1, le=512)] = 64
    tables: dict[TableName, SqlTable] = Field(default_factory=dict)
    """What SQL can read; nothing else."""
    max_rows: Annotated[int, Field(ge=1, le=10_000)] = 200
    """Rows of a SQL result; more are cut, and the model is told so."""
    sandbox: SandboxPool | None = None
    """Where CPython with modules and files runs; `memoryMib` is the template's affair there.
    Default: an interpreter of a small Python inside the agent."""

    @model_validator(mode="after")
    def _sandboxes_are_for_python(self) -> Self:
        if self.language == "sql" and self.sandbox:
            raise ValueError("a sandbox is for language python")
        return self

    @model_validator(mode="after")
    def _tables_are_for_sql(self) -> Self:
        if (self.language == "sql") != bool(self.tables):
            raise ValueError("language sql needs tables, and only sql can have them")
        return self


class HumanConfig(DocumentModel):
    """A question to a person; the run waits for the answer."""

    prompt: str = "Please confirm."
    """Shown to the person together with the arguments."""
    kind: Literal["approval", "input"] = "approval"
    """input: the person must write an answer, which goes to the model."""
    expires_in: Duration = "1h"


class RetrievalToolSpec(ToolBase):
    """Searches the vector store."""

    type: Literal["retrieval"]
    config: RetrievalConfig

    @model_validator(mode="after")
    def _query_is_declared(self) -> Self:
        return declares(self, "query")


class CodeToolSpec(ToolBase):
    """Runs code in a sandbox."""

    type: Literal["code"]
    config: CodeConfig = CodeConfig()

    @model_validator(mode="after")
    def _code_is_declared(self) -> Self:
        return declares(self, "code")


class HumanToolSpec(ToolBase):
    """Waits for a person's approval or input."""

    type: Literal["human"]
    config: HumanConfig = HumanConfig()


ListedSpec = (
    ApiToolSpec
    | OpenApiToolSpec
    | RetrievalToolSpec
    | CodeToolSpec
    | HumanToolSpec
    | McpToolSpec
    | AgentToolSpec
)
ToolSpec = Annotated[ListedSpec, Field(discriminator="type")]


class RetrievalTool(RetrievalToolSpec):
    """A retrieval tool with its name, as an agent lists it."""

    name: ToolName

    @property
    def timeout_seconds(self) -> float:
        return seconds(self.config.timeout)


class CodeTool(CodeToolSpec):
    """A code tool with its name, as an agent lists it."""

    name: ToolName

    @property
    def timeout_seconds(self) -> float:
        return seconds(self.config.timeout)


class HumanTool(HumanToolSpec):
    """A human tool with its name, as an agent lists it."""

    name: ToolName

    @property
    def expires_seconds(self) -> float:
        return seconds(self.config.expires_in)


Authored = ApiTool | OpenApiTool | RetrievalTool | CodeTool | HumanTool | McpTool | AgentTool
"""What an author can write."""
Tool = Authored | McpFunctionTool | MemoryTool
"""What a model can be offered; openapi and mcp tools stand for several functions."""
TOOL_TYPES: dict[
    str,
    type[ApiTool | OpenApiTool | RetrievalTool | CodeTool | HumanTool | McpTool | AgentTool],
] = {
    "api": ApiTool,
    "openapi": OpenApiTool,
    "retrieval": RetrievalTool,
    "code": CodeTool,
    "human": HumanTool,
    "mcp": McpTool,
    "agent": AgentTool,
}


def named(name: str, spec: ListedSpec) -> Authored:
    """The tool that an agent gets when it lists a registered Tool by name."""
    return TOOL_TYPES[spec.type].model_validate({"name": name} | spec.model_dump(by_alias=True))
