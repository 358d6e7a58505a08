"""What a client may say to `/v1/responses`, and what it means for a run."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent_runtime.agent.completion import Message
from agent_runtime.api.chat_request import Metadata, Temperature, check_model, own_tools
from agent_runtime.api.error_answer import mistake
from agent_runtime.errors import RequestError, invalid
from agent_runtime.memory.approval_desk import Answer

_ID = re.compile(r"resp_([A-Za-z0-9-]{1,128})(?:\.([1-9][0-9]{0,3}))?")


@dataclass(frozen=True)
class ResponseId:
    """A response is a stretch of a run: each pause for a person ends one and begins the next."""

    run: str
    part: int = 0

    def __str__(self) -> str:
        return f"resp_{self.run}" + (f".{self.part}" if self.part else "")

    @classmethod
    def parse(cls, text: str) -> "ResponseId":
        """Raises a 404 RequestError."""
        found = _ID.fullmatch(text)
        if not found:
            raise no_response(text)
        return cls(found[1], int(found[2] or 0))


def no_response(text: str) -> RequestError:
    return RequestError(404, "response_not_found", f"there is no response {text[:200]!r}")


class InputText(BaseModel):
    """A piece of a message; agents read text only."""

    type: Literal["input_text", "output_text", "text"]
    text: str


class InputMessage(BaseModel):
    """One message."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[InputText]

    def to_message(self) -> Message:
        text = (
            self.content
            if isinstance(self.content, str)
            else "".join(part.text for part in self.content)
        )
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class ApprovalResponse(BaseModel):
    """A person's word on an `mcp_approval_request` of the previous response."""

    type: Literal["mcp_approval_response"]
    approval_request_id: Annotated[str, Field(min_length=1, max_length=128)]
    approve: bool
    reason: Annotated[str, Field(max_length=16_384)] | None = None


class PlainText(BaseModel):
    type: Literal["text"]


class JsonObject(BaseModel):
    type: Literal["json_object"]


class JsonSchemaText(BaseModel):
    type: Literal["json_schema"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    schema_: Annotated[dict[str, Any], Field(alias="schema")]
    strict: bool | None = None
    description: str | None = None


class TextConfig(BaseModel):
    format: PlainText | JsonObject | JsonSchemaText | None = None


class Conversation(BaseModel):
    id: str


class ResponsesRequest(BaseModel):
    """The part of OpenAI's request that an agent honours; other fields are ignored."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"additionalProperties": True})

    model: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    input: (
        Annotated[str, Field(min_length=1)]
        | Annotated[list[ApprovalResponse | InputMessage], Field(min_length=1, max_length=1000)]
    )
    instructions: str | None = None
    stream: bool | None = False
    background: bool | None = False
    previous_response_id: Annotated[str, Field(max_length=256)] | None = None
    conversation: str | Conversation | None = None
    """The session."""
    temperature: Temperature | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    text: TextConfig | None = None
    metadata: Metadata | None = None
    tools: Annotated[list[Any], Field(max_length=0)] | None = None
    """Must be empty: the agent's tools are its own."""

    @property
    def answers(self) -> dict[str, Answer]:
        """People's decisions, by approval id."""
        if isinstance(self.input, str):
            return {}
        return {
            each.approval_request_id: Answer(each.approve, each.reason or "")
            for each in self.input
            if isinstance(each, ApprovalResponse)
        }

    @property
    def messages(self) -> list[Message]:
        head: list[Message] = (
            [{"role": "system", "content": self.instructions}] if self.instructions else []
        )
        if isinstance(self.input, str):
            return [*head, {"role": "user", "content": self.input}]
        asked = [each.to_message() for each in self.input if isinstance(each, InputMessage)]
        return [*head, *asked]

    @property
    def wanted_session(self) -> str | None:
        found = self.conversation
        return found.id if isinstance(found, Conversation) else found

    @property
    def wanted_format(self) -> dict[str, Any] | None:
        """In the form of chat completions, which is what models are asked in."""
        found = self.text.format if self.text else None
        if found is None or isinstance(found, PlainText):
            return None
        if isinstance(found, JsonObject):
            return {"type": "json_object"}
        schema = found.model_dump(by_alias=True, exclude_none=True, exclude={"type"})
        return {"type": "json_schema", "json_schema": schema}

    def echoed(self) -> dict[str, Any]:
        """What every response repeats of its request; small enough to be kept with the run."""
        text = self.text.model_dump(by_alias=True, exclude_none=True) if self.text else {}
        if len(str(text)) > _ECHO:
            text = {}
        kept = self.instructions if len(self.instructions or "") <= _ECHO else None
        return {
            "background": bool(self.background),
            "instructions": kept,
            "previous_response_id": self.previous_response_id,
            "temperature": self.temperature,
            "max_output_tokens": self.max_output_tokens,
            "text": text or {"format": {"type": "text"}},
            "metadata": self.metadata or {},
        }


_ECHO = 2048
"""Characters of instructions, and of a text format, that a response repeats."""


def read_responses(data: Mapping[str, Any], agent: str) -> ResponsesRequest:
    """The checked request; RequestError names the first mistake and its place."""
    try:
        request = ResponsesRequest.model_validate(data)
    except ValidationError as error:
        raise own_tools(mistake(error)) from None
    if request.model is not None:
        check_model(request.model, agent)
    if request.previous_response_id and request.conversation:
        text = "name either a conversation or a previous response"
        raise invalid(text, param="conversation")
    if request.answers:
        _check_answers(request)
    elif request.messages[-1]["role"] != "user":
        raise invalid("the last message must be the user's", param="input")
    return request


def _check_answers(request: ResponsesRequest) -> None:
    if not request.previous_response_id:
        text = "an approval needs the response that asked for it"
        raise invalid(text, param="previous_response_id")
    if any(not isinstance(each, ApprovalResponse) for each in request.input):
        raise invalid("approvals stand alone: send messages afterwards", param="input")
