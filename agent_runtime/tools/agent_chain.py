"""Which agents asked each other down to this one: bounds depth, refuses circles.

The headers only ever make a call stricter, so that it does no harm when a client invents them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agent_runtime.errors import RequestError
from agent_runtime.tools.port import CallContext

CHAIN_HEADER = "x-agent-chain"
BUDGET_HEADER = "x-agent-budget"
TAINT_HEADER = "x-agent-tainted"
MAX_DEPTH = 3
"""Agents that may ask each other before one answers by itself."""

_AGENT = re.compile(r"[a-z0-9][-a-z0-9]{0,62}/[a-z0-9][-a-z0-9]{0,62}")
_BUDGET = re.compile(r"\s*(seconds|tokens)\s*=\s*([0-9]{1,9})(?:\.[0-9]{1,6})?\s*")
_LOOP_DETECTED = 508


@dataclass(frozen=True)
class Chain:
    """The agents above and this one, and what they have left for it."""

    agents: tuple[str, ...]
    """`namespace/name`, the first one asked first, the own one last."""
    seconds: float | None = None
    tokens: int | None = None
    tainted: bool = False
    """Whether what they ask may have been written by content from outside."""

    @classmethod
    def from_headers(cls, headers: Mapping[str, str], *, own: str) -> "Chain":
        """What a request carries. RequestError 400 where it can't be read, 508 where this agent is
        in the chain already or the chain is too long."""
        text = headers.get(CHAIN_HEADER, "").strip()
        above = tuple(each.strip() for each in text.split(",")) if text else ()
        if not all(_AGENT.fullmatch(each) for each in above):
            raise RequestError(400, "bad_chain", f"{CHAIN_HEADER} can't be read")
        if own in above:
            path = " → ".join((*above, own))
            raise RequestError(_LOOP_DETECTED, "agent_cycle", f"agents ask in a circle: {path}")
        if len(above) > MAX_DEPTH:
            text = f"{len(above)} agents asked each other before this one; at most {MAX_DEPTH} may"
            raise RequestError(_LOOP_DETECTED, "agent_depth", text)
        budget = _budget(headers.get(BUDGET_HEADER, ""))
        seconds, tokens = budget.get("seconds"), budget.get("tokens")
        tainted = headers.get(TAINT_HEADER, "").strip().lower() not in ("", "false")
        return cls((*above, own), None if seconds is None else float(seconds), tokens, tainted)


def _budget(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in text.split(";"):
        if not part.strip():
            continue
        matched = _BUDGET.fullmatch(part)
        if matched is None:
            raise RequestError(400, "bad_budget", f"{BUDGET_HEADER} can't be read")
        found[matched[1]] = int(matched[2])
    return found


def chain_headers(context: CallContext, seconds: float) -> dict[str, str]:
    """What the next agent is told; `seconds` is how long its answer is waited for."""
    budget = [f"seconds={max(1, int(seconds))}"]
    if context.tokens_left is not None:
        budget.append(f"tokens={max(0, context.tokens_left)}")
    headers = {BUDGET_HEADER: ";".join(budget)}
    if context.chain:
        headers[CHAIN_HEADER] = ",".join(context.chain)
    if context.tainted:
        headers[TAINT_HEADER] = "true"
    return headers
