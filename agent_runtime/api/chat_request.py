"""What a client may say in a chat completion request, and what it means for a run."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent_runtime.agent.completion import Message
from agent_runtime.errors import RequestError, invalid

SESSION_HEADER = "x-session-id"
_SESSION = re.compile(r"[A-Za-z0-9._:-]{1,128}")


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


class ChatRequest(BaseModel):
    """The part of OpenAI's request that an agent honours; other fields are ignored."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"additionalProperties": True})

    model: Annotated[str, Field(min_length=1, max_length=128)]
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=1000)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    n: Literal[1] | None = None
    metadata: dict[str, str] | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    """Must be empty: the agent's tools are its own."""

    @property
    def wants_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def wanted_tokens(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens


def read_chat(data: Mapping[str, Any], agent: str) -> ChatRequest:
    """The checked request; RequestError names the first mistake and its place."""
    try:
        request = ChatRequest.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        param = ".".join(str(part) for part in first["loc"])
        if param == "tools":
            text = "this agent's tools are its own; leave `tools` out"
            raise invalid(text, param=param, code="unsupported_parameter") from None
        raise invalid(f"{param}: {first['msg']}", param=param) from None
    if request.model != agent:
        text = f"model {request.model!r} is not served here; this is agent {agent!r}"
        raise RequestError(404, "model_not_found", text, param="model")
    if request.messages[-1].role != "user":
        raise invalid("the last message must be the user's", param="messages")
    return request


def session_of(request: ChatRequest, headers: Mapping[str, str]) -> str | None:
    """The session that the caller names in a header or in `metadata.session_id`, if any."""
    named = headers.get(SESSION_HEADER) or (request.metadata or {}).get("session_id")
    if named is None:
        return None
    if not _SESSION.fullmatch(named):
        text = "a session id has 1 to 128 letters, digits or characters of . _ : -"
        raise invalid(text, param=SESSION_HEADER)
    return named
