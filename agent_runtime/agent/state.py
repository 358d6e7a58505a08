"""What a run remembers between its steps; all of it is plain data, so that it can be stored."""

import operator
from typing import Annotated, Any, TypedDict

from agent_runtime.agent.completion import Message


def _latest(old: str, new: str) -> str:
    return new or old


class CallRecord(TypedDict):
    """One tool call as it is reported to the caller."""

    id: str
    name: str
    arguments: Any
    status: str
    """`ok`, `error` or `refused`."""
    seconds: float


class Source(TypedDict):
    """A passage that the answer may rest on."""

    document: str
    title: str
    chunk: int
    score: float
    collection: str


class RunState(TypedDict):
    """The graph's channels; lists grow, the rest is replaced."""

    messages: Annotated[list[Message], operator.add]
    asked: list[Message]
    """What the caller said in this request; remembered together with the answer."""
    steps: Annotated[int, operator.add]
    tokens_in: Annotated[int, operator.add]
    tokens_out: Annotated[int, operator.add]
    calls: Annotated[list[CallRecord], operator.add]
    sources: Annotated[list[Source], operator.add]
    degraded: Annotated[list[str], operator.add]
    """Parts that were down while the answer was made."""
    model: str
    finish_reason: str
    limit: Annotated[str, _latest]
    """The budget that ended the run early."""


class ToolTask(TypedDict):
    """One tool call sent to its own branch."""

    call: dict[str, Any]
    refusal: str | None


def opening(context: list[Message], asked: list[Message]) -> RunState:
    """The state in which a run begins: the instructions and the past, then what is asked."""
    return RunState(
        messages=[*context, *asked],
        asked=asked,
        steps=0,
        tokens_in=0,
        tokens_out=0,
        calls=[],
        sources=[],
        degraded=[],
        model="",
        finish_reason="",
        limit="",
    )
