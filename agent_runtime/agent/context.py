"""What one run is told, apart from what it remembers: who asks, and how much it may use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime.auth import Identity
from agents.document import Budget

if TYPE_CHECKING:
    from agent_runtime.runs.run_log import RunLog
    from agent_runtime.tools.tool_set import ToolSet


@dataclass(frozen=True)
class RunContext:
    """Given to every step of a run; never stored."""

    identity: Identity
    run_id: str
    session: str
    log: "RunLog"
    tools: "ToolSet"
    budget: Budget
    """The smaller of the document's limits and the caller's."""
    deadline: float
    """Event-loop time at which the run ends."""
    started: float
    """Event-loop time; earlier attempts are counted in."""
    temperature: float | None = None
    max_tokens: int | None = None
    response_format: Mapping[str, Any] | None = None
    chain: tuple[str, ...] = ()
    """Agents above this run."""
    trace_id: str = ""


@dataclass(frozen=True)
class Decision:
    """A person's word on an approval."""

    approved: bool
    by: str
    answer: str = ""
    """What the person said, or why not."""
