"""What a run remembers between its steps; all of it is plain data, so that it can be stored."""

import operator
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypedDict, cast, get_origin, get_type_hints

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


class Compaction(TypedDict):
    """A summary that stands for the first messages of a conversation."""

    until: int
    """How many messages it replaces."""
    messages: list[Message]


Misfits = dict[str, list[int]]
"""By a function's name the steps, one after the other, whose calls of it could not be read."""


def _misfits(known: Misfits, update: Misfits) -> Misfits:
    """A call that could be made ends the row."""
    merged = {**known}
    for name, steps in update.items():
        merged[name] = sorted({*merged.get(name, []), *steps}) if steps else []
    return merged


class RunState(TypedDict):
    """Fields with a function grow by it, the rest is replaced. All of it is JSON."""

    messages: Annotated[list[Message], operator.add]
    asked: list[Message]
    """What the caller said in this request; remembered together with the answer."""
    steps: Annotated[int, operator.add]
    tokens_in: Annotated[int, operator.add]
    tokens_cached: Annotated[int, operator.add]
    """The part of `tokens_in` that a provider still had in its prompt cache."""
    tokens_out: Annotated[int, operator.add]
    usd: Annotated[float, operator.add]
    """What the tokens cost, as far as prices are known."""
    calls: Annotated[list[CallRecord], operator.add]
    sources: Annotated[list[Source], operator.add]
    degraded: Annotated[list[str], operator.add]
    """Parts that were down while the answer was made."""
    model: str
    finish_reason: str
    limit: Annotated[str, _latest]
    """The budget that ended the run early."""
    tainted: Annotated[bool, operator.or_]
    """Content from outside is in the conversation."""
    waiting: Annotated[list[dict[str, Any]], operator.add]
    """Approvals without which the run can't go on."""
    compaction: Compaction | None
    misfits: Annotated[Misfits, _misfits]


class ToolTask(TypedDict):
    """One tool call, which is a task of its own."""

    call: dict[str, Any]
    refusal: str | None
    step: int
    """The model call that wanted it, from 0."""
    position: int
    """Among the calls of that step, from 0."""
    tainted: bool
    tokens: int
    """Used so far."""


_GROWING: dict[str, Callable[[Any, Any], Any]] = {
    name: kind.__metadata__[0]
    for name, kind in get_type_hints(RunState, include_extras=True).items()
    if get_origin(kind) is Annotated
}


def advanced(state: RunState, update: Mapping[str, Any]) -> RunState:
    """The state after a step's update; the given one stays as it is."""
    after: dict[str, Any] = {**state}
    for name, value in update.items():
        grow = _GROWING.get(name)
        # a run that an older version began may lack a field
        after[name] = grow(after[name], value) if grow and name in after else value
    return cast("RunState", after)


def conversation(state: RunState) -> list[Message]:
    """The messages that the model is shown."""
    compaction = state["compaction"]
    if compaction is None:
        return list(state["messages"])
    return [*compaction["messages"], *state["messages"][compaction["until"] :]]


def opening(context: list[Message], asked: list[Message], *, tainted: bool = False) -> RunState:
    """The state in which a run begins: the instructions and the past, then what is asked."""
    return RunState(
        messages=[*context, *asked],
        asked=asked,
        steps=0,
        tokens_in=0,
        tokens_cached=0,
        tokens_out=0,
        usd=0.0,
        calls=[],
        sources=[],
        degraded=[],
        model="",
        finish_reason="",
        limit="",
        tainted=tainted,
        waiting=[],
        compaction=None,
        misfits={},
    )
