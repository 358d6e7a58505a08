"""The request and response shapes of OpenAI's chat completions and embeddings that are served here.

Source: https://platform.openai.com/docs/api-reference/chat. Unknown request fields are accepted, as
every compatible server does; what is read is checked.
"""

import base64
import json
import struct
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

LARGEST_REQUEST = 4 * 1024 * 1024
RETRY_AFTER = "retry-after"


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class FunctionCall(_Lenient):
    """A call as the model asked for it; `arguments` is JSON text."""

    name: str
    arguments: str = "{}"


class ToolCall(_Lenient):
    """One entry of an assistant message's `tool_calls`."""

    id: str = ""
    function: FunctionCall


class ContentPart(_Lenient):
    """A part of a message; only text is read."""

    type: str = "text"
    text: str = ""


class ChatMessage(_Lenient):
    """One message of the conversation."""

    role: str
    content: str | list[ContentPart] | None = None
    name: str | None = None
    tool_call_id: str | None = None
    tool_calls: list[ToolCall] | None = None

    @property
    def text(self) -> str:
        """The message's text, parts joined by line ends."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content or ())


class FunctionSpec(_Lenient):
    """A function that the model may call; `parameters` is JSON Schema."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]
    description: str = ""
    parameters: dict[str, Any] = {}


class OfferedTool(_Lenient):
    """One entry of a request's `tools`."""

    function: FunctionSpec


class StreamOptions(_Lenient):
    """Whether the last chunk tells the usage."""

    include_usage: bool = False


class ChatRequest(_Lenient):
    """A request to `/v1/chat/completions`."""

    model: str = ""
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    tools: list[OfferedTool] = []
    tool_choice: Any = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: str | list[str] | None = None

    def last_user_text(self) -> str:
        """What the user said last; empty when nobody spoke."""
        spoken = (each.text for each in reversed(self.messages) if each.role == "user")
        return next(spoken, "")

    def results_since_user(self) -> list[ChatMessage]:
        """The tool messages after the last message of the user, in order."""
        results: list[ChatMessage] = []
        for message in reversed(self.messages):
            if message.role == "user":
                break
            if message.role == "tool":
                results.append(message)
        return results[::-1]

    def called_tool(self, result: ChatMessage) -> str:
        """The name of the tool that answered with `result`; empty when nobody called it."""
        for message in self.messages:
            for call in message.tool_calls or ():
                if call.id and call.id == result.tool_call_id:
                    return call.function.name
        return result.name or ""


class EmbeddingsRequest(_Lenient):
    """A request to `/v1/embeddings`."""

    model: str = ""
    input: str | list[str]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None

    def texts(self) -> list[str]:
        """The inputs as a list, one or many."""
        return [self.input] if isinstance(self.input, str) else self.input


class RequestRefusedError(Exception):
    """A request that is answered with `status` in OpenAI's error shape."""

    def __init__(
        self, status: int, message: str, *, kind: str = "invalid_request_error", wait: float = 0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.wait = wait


async def refused(_: Request, error: Exception) -> Response:
    """Starlette's handler for `RequestRefusedError`."""
    if not isinstance(error, RequestRefusedError):
        raise error
    headers = {RETRY_AFTER: f"{error.wait:g}"} if error.wait else None
    return JSONResponse(
        {"error": {"message": str(error), "type": error.kind, "code": None, "param": None}},
        status_code=error.status,
        headers=headers,
    )


Shape = TypeVar("Shape", bound=BaseModel)


async def read(request: Request, shape: type[Shape]) -> Shape:
    """The request's body as `shape`; RequestRefusedError names each mistake."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_REQUEST:
            raise RequestRefusedError(413, f"the request is larger than {LARGEST_REQUEST} bytes")
    try:
        return shape.model_validate_json(bytes(body))
    except ValidationError as error:
        found = [f"{_place(each['loc'])}: {each['msg']}" for each in error.errors()[:5]]
        raise RequestRefusedError(400, "; ".join(found)) from error


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "body"


@dataclass(frozen=True)
class Call:
    """A tool call that a model answers with."""

    name: str
    arguments: dict[str, Any]
    id: str = field(default_factory=lambda: f"call_{uuid.uuid4().hex[:24]}")

    def shape(self) -> dict[str, Any]:
        function = {"name": self.name, "arguments": json.dumps(self.arguments, ensure_ascii=False)}
        return {"id": self.id, "type": "function", "function": function}


def usage_shape(prompt: int, completion: int) -> dict[str, int]:
    """Token counts of one completion."""
    total = prompt + completion
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}


@dataclass(frozen=True)
class CompletionShape:
    """The frame of one answer: what all its chunks have in common."""

    model: str
    fingerprint: str
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def _frame(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": choices,
        }

    def whole(
        self, text: str | None, calls: Sequence[Call], finish: str, usage: dict[str, int]
    ) -> dict[str, Any]:
        """The answer in one piece."""
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if calls:
            message["tool_calls"] = [call.shape() for call in calls]
        choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
        return self._frame("chat.completion", [choice]) | {"usage": usage}

    def chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        """One server-sent event with a piece of the answer."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return event(self._frame("chat.completion.chunk", [choice]))

    def call_chunks(self, calls: Sequence[Call]) -> list[bytes]:
        """Tool calls as events: name first, arguments after, as providers stream them."""
        chunks: list[bytes] = []
        for index, call in enumerate(calls):
            shape = call.shape()
            arguments = shape["function"]["arguments"]
            head = {**shape, "index": index, "function": {"name": call.name, "arguments": ""}}
            chunks.append(self.chunk({"tool_calls": [head]}))
            rest = {"index": index, "function": {"arguments": arguments}}
            chunks.append(self.chunk({"tool_calls": [rest]}))
        return chunks

    def usage_chunk(self, usage: dict[str, int]) -> bytes:
        """The event that tells the usage; it has no choices."""
        return event(self._frame("chat.completion.chunk", []) | {"usage": usage})


DONE = b"data: [DONE]\n\n"


def event(content: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(content, ensure_ascii=False).encode() + b"\n\n"


def models_shape(names: Sequence[str], *, owner: str, created: int) -> dict[str, Any]:
    """The answer of `/v1/models`."""
    card = {"object": "model", "created": created, "owned_by": owner}
    return {"object": "list", "data": [{"id": name} | card for name in names]}


def embeddings_shape(
    asked: EmbeddingsRequest, model: str, vectors: Sequence[Sequence[float]], *, tokens: int
) -> dict[str, Any]:
    """The answer of `/v1/embeddings`, numbers in the encoding that `asked` names."""

    def encoded(vector: Sequence[float]) -> Any:
        if asked.encoding_format == "float":
            return list(vector)
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()

    data = [
        {"object": "embedding", "index": index, "embedding": encoded(vector)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "model": model, "data": data, "usage": usage}
