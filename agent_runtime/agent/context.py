"""What one run is told, apart from what it remembers: who asks, and how long it may take."""

from collections.abc import Callable
from dataclasses import dataclass

from agent_runtime.auth import Identity


@dataclass(frozen=True)
class RunContext:
    """Given to every step of a run; never stored."""

    identity: Identity
    run_id: str
    session: str
    deadline: float
    """Event-loop time at which the run ends."""
    started: float
    temperature: float | None = None
    max_tokens: int | None = None
    on_text: Callable[[str], None] | None = None
    """Gets the answer's text as it comes."""


@dataclass(frozen=True)
class Decision:
    """A person's word on an approval."""

    approved: bool
    by: str
    answer: str = ""
    """What the person said, or why not."""
