"""The forms of answers, for the OpenAPI document; clients and tests are held to them."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.api.error_answer import OpenAIError, Problem
from agent_runtime.errors import PROBLEM
from agent_runtime.runs.port import RunState

Responses = dict[int | str, dict[str, Any]]

_TEXT = {"type": "string"}
EVENT_STREAM: dict[str, Any] = {
    "text/event-stream": {
        "schema": {
            "type": "object",
            "description": "Of each event",
            "properties": {"id": _TEXT, "event": _TEXT, "data": _TEXT},
            "required": ["data"],
        }
    }
}


def _error(model: type[BaseModel], content_type: str) -> Responses:
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    content = {content_type: {"schema": schema}}
    return {"default": {"description": "An error", "content": content}}


OPENAI_ERRORS = _error(OpenAIError, "application/json")
PROBLEMS = _error(Problem, PROBLEM)
SHARED: tuple[type[BaseModel], ...] = (OpenAIError, Problem)
"""Models that only errors name; the document needs them all the same."""


def streamed(model: type[BaseModel], status: int = 200) -> Responses:
    """An answer that is JSON, or events where the client asked for a stream."""
    return {status: {"model": model, "content": dict(EVENT_STREAM), "description": "The answer"}}


def events(description: str) -> Responses:
    """An answer that is always a stream."""
    return {200: {"content": dict(EVENT_STREAM), "description": description}}


class Model(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "agent"


class Models(BaseModel):
    """The models of this address: the agent is the only one."""

    object: Literal["list"] = "list"
    data: list[Model]

    @classmethod
    def of(cls, agent: str) -> "Models":
        return cls(data=[Model(id=agent)])


class PromptTokens(BaseModel):
    cached_tokens: int


class Usage(BaseModel):
    prompt_tokens: int
    prompt_tokens_details: PromptTokens
    completion_tokens: int
    total_tokens: int


class ChatChoiceMessage(BaseModel):
    role: Literal["assistant"]
    content: str | None
    refusal: str | None = None


class ChatChoice(BaseModel):
    model_config = ConfigDict(extra="allow")

    index: int
    message: ChatChoiceMessage
    finish_reason: Literal["stop", "length", "content_filter"]


class RunDetails(BaseModel):
    """What the answer rests on."""

    model_config = ConfigDict(extra="allow")

    trace_id: str
    session_id: str
    status: Literal["completed", "waiting_input"]
    sources: list[dict[str, Any]]
    tool_calls: list[dict[str, Any]]
    approvals: list[dict[str, Any]]
    limit: str | None
    """The budget that ended the run early."""
    degraded: list[str]
    """Parts that were down while the answer was made."""


class ChatCompletion(BaseModel):
    """OpenAI's chat completion, with the field `agentic`."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage
    agentic: RunDetails


class OpenAIResponse(BaseModel):
    """OpenAI's response, with the field `agentic` once there is a result."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
    background: bool
    error: dict[str, Any] | None
    model: str
    output: list[dict[str, Any]]
    usage: dict[str, Any] | None
    agentic: RunDetails | None


class TaskOutput(BaseModel):
    """The answer so far: whole in `completed`, what is said to the person in `waiting_input`."""

    text: str
    finish_reason: str
    model: str
    usage: Usage
    sources: list[dict[str, Any]]
    tool_calls: list[dict[str, Any]]
    limit: str | None
    degraded: list[str]


class Task(BaseModel):
    """One run of the agent."""

    id: str
    object: Literal["task"] = "task"
    state: RunState
    session_id: str
    created_at: float
    """Unix time in seconds."""
    updated_at: float
    attempt: int
    """Workers that began it; above 1 after one was lost."""
    trace_id: str
    input: list[dict[str, Any]]
    """What was asked."""
    output: TaskOutput | None = None
    approvals: list[dict[str, Any]] = Field(default_factory=list)
    """What is waited for."""
    error: Problem | None = None
    metadata: dict[str, Any]


class Tasks(BaseModel):
    """Some tasks, newest first."""

    object: Literal["list"] = "list"
    data: list[Task]
    next: str | None
    """The `cursor` of the following page; null at the end."""


class Session(BaseModel):
    """A conversation."""

    id: str
    object: Literal["session"] = "session"
    messages: list[dict[str, Any]]
    active: str | None
    """The task that has the session now."""
    waiting: list[str]
    """Tasks that wait their turn, in order."""


class Deleted(BaseModel):
    id: str
    object: Literal["session"] = "session"
    deleted: Literal[True] = True


class Approvals(BaseModel):
    """What waits for a person."""

    object: Literal["list"] = "list"
    data: list[dict[str, Any]]


class AuditEntries(BaseModel):
    """The approval trail, oldest first; each entry holds the hash of the one before."""

    object: Literal["list"] = "list"
    data: list[dict[str, Any]]
