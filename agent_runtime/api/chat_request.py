"""What a client may say in a chat completion request, and what it means for a run."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent_runtime.agent.completion import Message
from agent_runtime.api.error_answer import mistake
from agent_runtime.api.surface import SESSION_HEADER, checked_session
from agent_runtime.errors import RequestError, invalid

Temperature = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]
MetadataText = Annotated[str, Field(max_length=512)]
Metadata = Annotated[dict[Annotated[str, Field(max_length=64)], MetadataText], Field(max_length=16)]
"""OpenAI's bounds: 16 pairs, names of 64 and values of 512 characters."""


class TextPart(BaseModel):
    """A piece of a message; agents read text only."""

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """One message of the conversation so far."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart] | None = None

    def to_message(self) -> Message:
        content = self.content or ""
        text = content if isinstance(content, str) else "".join(part.text for part in content)
        role = "system" if self.role == "developer" else self.role
        return {"role": role, "content": text}


class StreamOptions(BaseModel):
    include_usage: bool = False


class JsonSchema(BaseModel):
    """A form that the answer must have."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    schema_: Annotated[dict[str, Any], Field(alias="schema")]
    strict: bool | None = None
    description: str | None = None


class TextFormat(BaseModel):
    type: Literal["text"]


class ObjectFormat(BaseModel):
    type: Literal["json_object"]


class SchemaFormat(BaseModel):
    type: Literal["json_schema"]
    json_schema: JsonSchema


class ChatRequest(BaseModel):
    """The part of OpenAI's request that an agent honours; other fields are ignored."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"additionalProperties": True})

    model: Annotated[str, Field(min_length=1, max_length=128)]
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=1000)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    temperature: Temperature | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    n: Literal[1] | None = None
    response_format: TextFormat | ObjectFormat | SchemaFormat | None = None
    metadata: Metadata | None = None
    """`session_id` names the session where the header does not."""
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    """Must be empty: the agent's tools are its own."""

    @property
    def wants_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def wanted_tokens(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    @property
    def wanted_format(self) -> dict[str, Any] | None:
        """What goes to the model; plain text is what it gives anyway."""
        if self.response_format is None or self.response_format.type == "text":
            return None
        return self.response_format.model_dump(by_alias=True, exclude_none=True)


def read_chat(data: Mapping[str, Any], agent: str) -> ChatRequest:
    """The checked request; RequestError names the first mistake and its place."""
    try:
        request = ChatRequest.model_validate(data)
    except ValidationError as error:
        raise own_tools(mistake(error)) from None
    check_model(request.model, agent)
    if request.messages[-1].role != "user":
        raise invalid("the last message must be the user's", param="messages")
    return request


def own_tools(error: RequestError) -> RequestError:
    """A mistake about `tools` is told as what it means here."""
    if error.param != "tools":
        return error
    text = "this agent's tools are its own; leave `tools` out"
    return invalid(text, param="tools", code="unsupported_parameter")


def check_model(model: str, agent: str) -> None:
    if model != agent:
        text = f"model {model!r} is not served here; this is agent {agent!r}"
        raise RequestError(404, "model_not_found", text, param="model")


def session_of(request: ChatRequest, headers: Mapping[str, str]) -> str | None:
    """The session that the caller names in a header or in `metadata.session_id`, if any."""
    named = headers.get(SESSION_HEADER) or (request.metadata or {}).get("session_id")
    return checked_session(named)
