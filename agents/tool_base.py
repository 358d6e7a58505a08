"""What every tool shares: its arguments, its credentials, and what code allows it to do."""

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, JsonValue, model_validator

from agents.model import DocumentModel, Duration, seconds

SideEffect = Literal["read", "write", "destructive"]
ParameterType = Literal["string", "integer", "number", "boolean", "array", "object"]
ToolName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
FunctionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""What models take as the name of a function; imported ones keep their own spelling."""

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
    json_schema: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    """A JSON schema that the value must meet besides its type: `{maximum: 100}`, `{maxLength: 80}`,
    `{items: {type: string}}` …"""
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
        if self.enum and self.default not in self.enum:
            allowed = ", ".join(str(each) for each in self.enum)
            raise ValueError(f"default {self.default!r} is not in its enum; allowed: {allowed}")
        return self


class SecretKey(DocumentModel):
    """A key of a Kubernetes Secret in the agent's namespace."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$")]
    key: Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]{1,253}$")] = "token"


class Authentication(DocumentModel):
    """How a call proves who it is; the secret is mounted as a file and read again on each call."""

    type: Literal["bearer"] = "bearer"
    secret_ref: SecretKey


class ApprovalRule(DocumentModel):
    """Who may agree to a call, and until when."""

    four_eyes: bool = False
    """Somebody else than the person whose request it is must decide."""
    role: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """The role that the person deciding must hold. Default: anybody of the tenant."""
    expires_in: Duration = "1h"
    """Time after which the call counts as refused."""

    @property
    def expires_seconds(self) -> float:
        return seconds(self.expires_in)


class ToolBase(DocumentModel):
    """What all types of tools share."""

    description: str = ""
    """Shown to the model."""
    parameters: tuple[Parameter, ...] | None = None
    """Default: `query` for retrieval, `code` for code, `question` for human, `message` for agent;
    any JSON object for api; openapi and mcp tools bring their own."""
    side_effect: SideEffect | None = None
    """What a call can change; `destructive` always asks a person first. Default: `read` for
    retrieval, code and human, by the method for REST, else `write`."""
    requires_approval: bool = False
    """A person must agree to each call."""
    approval: ApprovalRule = ApprovalRule()
    """Rules for a call that a person must agree to, whatever made it need that."""
    trusted: bool = False
    """Only people that the agent's owner trusts write what this tool returns. After the result of
    a tool that is not trusted, a tool that writes asks a person first."""
    after_untrusted: Literal["ask", "allow"] = "ask"
    """allow: this tool may write without a person even then; for effects that do no harm."""
    on_unknown: Literal["ask", "retry", "fail"] = "ask"
    """What to do when a Pod died between a call and its result: ask a person, call again, or tell
    the model that it failed. Idempotent tools are always called again."""

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

    @property
    def idempotent(self) -> bool:
        """Whether a second call changes nothing that the first one did not."""
        return self.effect == "read"


ToolT = TypeVar("ToolT", bound=ToolBase)


def declares(tool: ToolT, name: str) -> ToolT:
    """Refuse a tool whose own parameter list lacks the argument that its type works on."""
    if tool.parameters is not None and name not in {each.name for each in tool.parameters}:
        raise ValueError(f"its parameters must hold {name!r}, or be left out")
    return tool


def refuses_parameters(tool: ToolT, reason: str) -> ToolT:
    if tool.parameters is not None:
        raise ValueError(f"drop parameters: {reason}")
    return tool
