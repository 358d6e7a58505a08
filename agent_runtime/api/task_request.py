"""What a client may say to `/v1/tasks`."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent_runtime.api.chat_request import ChatMessage, Metadata, SchemaFormat, Temperature
from agent_runtime.runs.port import Limits, OnBusy

SessionId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Amount = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TaskLimits(_Body):
    """Limits of this task; the agent's own hold as well."""

    steps: Count | None = None
    tool_calls: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = None
    tokens: Count | None = None
    usd: Amount | None = None
    seconds: Amount | None = None


class TaskBody(_Body):
    """A task: either `input` or `messages`."""

    input: Annotated[str, Field(min_length=1)] | None = None
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=1000)] | None = None
    session_id: SessionId | None = None
    """Default: a new session."""
    on_busy: OnBusy | None = None
    """What happens where the session is busy. Default: the agent's setting."""
    temperature: Temperature | None = None
    max_tokens: Count | None = None
    response_format: SchemaFormat | None = None
    limits: TaskLimits = TaskLimits()
    metadata: Metadata = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_input(self) -> Self:
        if (self.input is None) == (self.messages is None):
            raise ValueError("give either `input` or `messages`")
        if self.messages and self.messages[-1].role != "user":
            raise ValueError("the last message must be the user's")
        return self

    def asked(self) -> list[dict[str, Any]]:
        if self.input is not None:
            return [{"role": "user", "content": self.input}]
        return [message.to_message() for message in self.messages or ()]

    def wanted_limits(self) -> Limits:
        return Limits(**self.limits.model_dump())


class DecisionBody(_Body):
    """A decision; `answer` is handed to a tool that asked, or given as the reason of a refusal."""

    decision: Literal["approve", "reject"]
    answer: Annotated[str, Field(max_length=16_384)] = ""


class InputBody(_Body):
    """Decisions on what a task waits for, by approval id."""

    answers: Annotated[
        dict[Annotated[str, Field(max_length=128)], DecisionBody],
        Field(min_length=1, max_length=128),
    ]
