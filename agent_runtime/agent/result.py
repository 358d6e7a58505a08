"""What comes out of a run."""

from dataclasses import dataclass, field
from typing import Any, Literal

from agent_runtime.agent.state import CallRecord, RunState, Source

Status = Literal["completed", "waiting_input"]


@dataclass(frozen=True)
class RunResult:
    """The answer with all that it rests on."""

    text: str
    status: Status
    finish_reason: str
    model: str
    session: str
    trace_id: str
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """The part of `prompt_tokens` that a provider still had in its prompt cache."""
    completion_tokens: int = 0
    sources: list[Source] = field(default_factory=list)
    calls: list[CallRecord] = field(default_factory=list)
    approvals: list[dict[str, Any]] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)
    limit: str = ""
    usd: float | None = None
    """What it cost, as far as prices are known."""

    def extension(self) -> dict[str, Any]:
        """The field `agentic` of a chat completion."""
        return {
            "trace_id": self.trace_id,
            "session_id": self.session,
            "status": self.status,
            "sources": self.sources,
            "tool_calls": self.calls,
            "approvals": self.approvals,
            "limit": self.limit or None,
            "degraded": self.degraded,
            "cost_usd": self.usd,
        }


def from_state(
    state: RunState,
    *,
    session: str,
    trace_id: str,
    degraded: list[str],
    approvals: list[dict[str, Any]],
) -> RunResult:
    """The result that a finished or waiting state stands for."""
    text = str(state["messages"][-1].get("content") or "")
    if approvals:
        wanted = ", ".join(str(each["tool"]) for each in approvals)
        text = f"Waiting for a person's approval: {wanted}."
    return RunResult(
        text=text,
        status="waiting_input" if approvals else "completed",
        finish_reason=_finish_reason(state["finish_reason"]),
        model=state["model"],
        session=session,
        trace_id=trace_id,
        prompt_tokens=state["tokens_in"],
        cached_tokens=state.get("tokens_cached", 0),
        completion_tokens=state["tokens_out"],
        sources=_best(state["sources"]),
        calls=state["calls"],
        approvals=approvals,
        degraded=sorted({*state["degraded"], *degraded}),
        limit=state["limit"],
        usd=round(state["usd"], 8) or None,
    )


def _finish_reason(reason: str) -> str:
    return reason if reason in ("stop", "length", "content_filter") else "stop"


def _best(sources: list[Source]) -> list[Source]:
    """Each passage once, the best first."""
    best: dict[tuple[str, str, int], Source] = {}
    for source in sources:
        key = (source["collection"], source["document"], source["chunk"])
        if key not in best or best[key]["score"] < source["score"]:
            best[key] = source
    return sorted(best.values(), key=lambda each: -each["score"])
