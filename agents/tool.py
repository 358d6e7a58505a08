"""Tools: what an agent may do besides talking, as data."""

import re
from typing import Annotated, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, JsonValue, model_validator

from agents.model import DocumentModel, Duration, seconds

SideEffect = Literal["read", "write", "destructive"]
ParameterType = Literal["string", "integer", "number", "boolean", "array", "object"]

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


class Parameter(DocumentModel):
    """One argument that the model gives to the tool."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]
    type: ParameterType = "string"
    description: str = ""
    """Shown to the model."""
    required: bool = False
    default: JsonValue = None
    """Sent when the model leaves the argument out; null means: leave it out."""
    enum: tuple[str | int | float, ...] = ()
    """The only values allowed; empty: any value of the type."""
    location: Annotated[Literal["path", "query", "body"] | None, Field(alias="in")] = None
    """Where an HTTP call carries it. Default: `path` if the endpoint holds `{name}`, else `query`
    for GET and DELETE, else `body`."""

    @model_validator(mode="after")
    def _default_fits(self) -> Self:
        if self.default is None:
            return self
        if self.required:
            raise ValueError("a required parameter can't have a default; drop one of the two")
        right = isinstance(self.default, _PYTHON_TYPES[self.type])
        if not right or (isinstance(self.default, bool) and self.type != "boolean"):
            raise ValueError(f"default {self.default!r} is not of type {self.type}")
        return self


class SecretKey(DocumentModel):
    """A key of a Kubernetes Secret in the agent's namespace."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$")]
    key: Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]{1,253}$")] = "token"


class Authentication(DocumentModel):
    """How a call proves who it is; the secret is mounted as a file and read again on each call."""

    type: Literal["bearer"] = "bearer"
    secret_ref: SecretKey


class ApiConfig(DocumentModel):
    """An HTTP endpoint that takes and gives JSON."""

    endpoint: Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=2048)]
    """May hold `{name}` of a path parameter; the host is always written out here."""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    timeout: Duration = "30s"
    max_response_bytes: Annotated[int, Field(ge=256, le=1_048_576)] = 65_536
    """What is longer is cut, and the model is told so."""

    @model_validator(mode="after")
    def _host_is_fixed(self) -> Self:
        parts = urlsplit(self.endpoint)
        if not parts.hostname or "{" in parts.netloc or parts.username or parts.password:
            raise ValueError("the endpoint needs a fixed host, without user, password or braces")
        return self


class RetrievalConfig(DocumentModel):
    """A search in a collection of the vector store, always within the caller's tenant."""

    vector_store: Literal["milvus"] = "milvus"
    collection: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,254}$")]
    top_k: Annotated[int, Field(ge=1, le=50)] = 5
    min_score: Annotated[float, Field(ge=-1, le=1)] = 0.0
    """Cosine similarity below which a hit is left out."""
    timeout: Duration = "10s"


class CodeConfig(DocumentModel):
    """A sandbox without files, network or other modules."""

    language: Literal["python"] = "python"
    timeout: Duration = "1s"
    memory_mib: Annotated[int, Field(ge=1, le=512)] = 64


class HumanConfig(DocumentModel):
    """A question to a person; the run waits for the answer."""

    prompt: str = "Please confirm."
    """Shown to the person together with the arguments."""
    expires_in: Duration = "1h"


class ToolBase(DocumentModel):
    """What all types of tools share."""

    description: str = ""
    """Shown to the model."""
    parameters: tuple[Parameter, ...] | None = None
    """Default: `query` for retrieval, `code` for code, `question` for human; any JSON object for
    api."""
    side_effect: SideEffect | None = None
    """What a call can change; `destructive` always asks a person first. Default: `read`, but
    `write` for an api tool whose method is not GET."""
    requires_approval: bool = False
    """A person must agree to each call."""

    @model_validator(mode="after")
    def _parameter_names_differ(self) -> Self:
        names = [parameter.name for parameter in self.parameters or ()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"parameter {twice[0]!r} is declared twice")
        return self

    @property
    def effect(self) -> SideEffect:
        """The side effect, with the default filled in."""
        return self.side_effect or "read"

    @property
    def needs_approval(self) -> bool:
        return self.requires_approval or self.effect == "destructive"


ToolT = TypeVar("ToolT", bound=ToolBase)


def _declares(tool: ToolT, name: str) -> ToolT:
    """Refuse a tool whose own parameter list lacks the argument that its type works on."""
    if tool.parameters is not None and name not in {each.name for each in tool.parameters}:
        raise ValueError(f"its parameters must hold {name!r}, or be left out")
    return tool


class ApiToolSpec(ToolBase):
    """Calls an external REST API."""

    type: Literal["api"]
    config: ApiConfig
    authentication: Authentication | None = None

    @property
    def effect(self) -> SideEffect:
        return self.side_effect or ("read" if self.config.method == "GET" else "write")

    @model_validator(mode="after")
    def _endpoint_parameters_are_declared(self) -> Self:
        declared = {parameter.name for parameter in self.parameters or ()}
        for name in re.findall(r"{([^{}]*)}", self.config.endpoint):
            if name not in declared:
                raise ValueError(
                    f"the endpoint holds {{{name}}} but no parameter of that name is declared"
                )
        return self


class RetrievalToolSpec(ToolBase):
    """Searches the vector store."""

    type: Literal["retrieval"]
    config: RetrievalConfig

    @model_validator(mode="after")
    def _query_is_declared(self) -> Self:
        return _declares(self, "query")


class CodeToolSpec(ToolBase):
    """Runs code in a sandbox."""

    type: Literal["code"]
    config: CodeConfig = CodeConfig()

    @model_validator(mode="after")
    def _code_is_declared(self) -> Self:
        return _declares(self, "code")


class HumanToolSpec(ToolBase):
    """Waits for a person's approval or input."""

    type: Literal["human"]
    config: HumanConfig = HumanConfig()


ToolSpec = Annotated[
    ApiToolSpec | RetrievalToolSpec | CodeToolSpec | HumanToolSpec, Field(discriminator="type")
]
ToolName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]


class ApiTool(ApiToolSpec):
    """An api tool with its name, as an agent lists it."""

    name: ToolName

    @property
    def timeout_seconds(self) -> float:
        return seconds(self.config.timeout)


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


Tool = ApiTool | RetrievalTool | CodeTool | HumanTool
TOOL_TYPES: dict[str, type[ApiTool | RetrievalTool | CodeTool | HumanTool]] = {
    "api": ApiTool,
    "retrieval": RetrievalTool,
    "code": CodeTool,
    "human": HumanTool,
}


def named(name: str, spec: ApiToolSpec | RetrievalToolSpec | CodeToolSpec | HumanToolSpec) -> Tool:
    """The tool that an agent gets when it lists a registered Tool by name."""
    return TOOL_TYPES[spec.type].model_validate({"name": name} | spec.model_dump(by_alias=True))
