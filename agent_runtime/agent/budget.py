"""The limits of one run, checked before each step."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from agent_runtime.runs.port import Limits
from agents.document import Budget

Limit = Literal["steps", "tool_calls", "tokens", "usd", "time", "same_call", "repairs"]
NO_MISFITS: Mapping[str, Sequence[int]] = MappingProxyType({})
MAX_REPAIRS = 2
"""Times that a model may mend a call of one function whose arguments did not fit."""

NOTE = (
    "The limit of this request is reached. Call no more tools; answer now with what you have, and "
    "say what is missing."
)
OUT_OF_TIME = "I could not finish this within the time I have. Please ask again or ask for less."
OUT_OF_STEPS = "I could not finish this within the steps I have. Please ask for less."
OUT_OF_TOKENS = "I could not finish this within the tokens I have. Please ask for less."

CallKey = tuple[str, str]
"""A tool's name and its arguments as the model wrote them."""


OUT_OF_MONEY = "I could not finish this within the cost I may cause. Please ask for less."

STOPS: dict[str, str] = {
    "time": OUT_OF_TIME,
    "tokens": OUT_OF_TOKENS,
    "usd": OUT_OF_MONEY,
}
"""Limits at which the model is not asked even once more, and what is answered then."""
REFUSALS = {
    "tool_calls": "no more tool calls are allowed in this request",
    "same_call": "this very call was made before; use its result",
    "repairs": "its arguments were wrong too often; go on without this tool",
}
"""Limits at which a single call is not made, and what the model is told in place of its result."""


def smaller(budget: Budget, limits: Limits) -> Budget:
    """The document's budget, cut down to a caller's own limits."""
    changes: dict[str, Any] = {}
    for name in ("steps", "tool_calls", "tokens"):
        wanted = getattr(limits, name)
        if wanted is not None:
            changes[name] = max(1, min(wanted, getattr(budget, name)))
    if limits.tool_calls == 0:
        changes["tool_calls"] = 0
    if limits.usd is not None:
        changes["usd"] = min(limits.usd, budget.usd if budget.usd is not None else limits.usd)
    if limits.seconds is not None and limits.seconds < budget.seconds:
        changes["time"] = f"{max(1, int(limits.seconds * 1000))}ms"
    return budget.model_copy(update=changes) if changes else budget


def reached(
    budget: Budget, *, steps: int, tokens: int, seconds: float, usd: float = 0.0
) -> Limit | None:
    """The limit that the next step would break; `steps` counts the steps already taken.

    The last step is reserved for the answer, so it is reported as reached one step early.
    """
    if seconds >= budget.seconds:
        return "time"
    if tokens >= budget.tokens:
        return "tokens"
    if budget.usd is not None and usd >= budget.usd:
        return "usd"
    if steps >= budget.steps - 1:
        return "steps"
    return None


def refusals(
    budget: Budget,
    earlier: Sequence[CallKey],
    calls: Sequence[dict[str, Any]],
    misfits: Mapping[str, Sequence[int]] = NO_MISFITS,
) -> list[Limit | None]:
    """For each wanted tool call the limit that forbids it, or None.

    `earlier` holds every call already made in this run, `misfits` those that could not be read.
    """
    seen = Counter(earlier)
    made = len(earlier)
    verdicts: list[Limit | None] = []
    for call in calls:
        key = call_key(call)
        if made >= budget.tool_calls:
            verdicts.append("tool_calls")
        elif seen[key] >= budget.same_call:
            verdicts.append("same_call")
        elif len(misfits.get(key[0], ())) > MAX_REPAIRS:
            verdicts.append("repairs")
        else:
            verdicts.append(None)
        seen[key] += 1
        made += 1
    return verdicts


def call_key(call: dict[str, Any]) -> CallKey:
    """What makes two tool calls the same."""
    return call["function"]["name"], call["function"]["arguments"]
