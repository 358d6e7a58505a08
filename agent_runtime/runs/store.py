"""What a store of runs promises to workers and to the service, whoever keeps it.

One worker at a time owns a run: it holds the run's fence, and every write names it. A write with
an older fence changes nothing, so a worker that was taken for dead can't do harm.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from agent_runtime.agent.completion import Message
from agent_runtime.runs.port import OnBusy, Page, RunEvent, RunRecord, RunState, SessionRecord


@dataclass(frozen=True)
class NewRun:
    """A run to store; texts are JSON."""

    id: str
    tenant: str
    user: str
    session: str
    request: str
    digest: str
    asked: Sequence[Message]
    on_busy: OnBusy
    idempotency_key: str = ""
    trace_id: str = ""


@dataclass
class Claim:
    """A run in the hands of one worker."""

    run_id: str
    fence: int
    attempt: int
    tenant: str
    user: str
    session: str
    request: Mapping[str, Any]
    trace_id: str
    created: float
    step: int = 0
    journal: dict[str, Any] = field(default_factory=dict)
    """What earlier attempts of this run have recorded."""
    history: list[Message] = field(default_factory=list)
    """The session's messages before this run."""
    events: list[RunEvent] = field(default_factory=list)
    """All events so far, where the claim knows them all; else empty."""


@dataclass(frozen=True)
class Submitted:
    """`claim` is set where the submitting worker got the run at once."""

    record: RunRecord
    claim: Claim | None = None
    digest: str | None = None
    """Of the run that the idempotency key already stood for."""


Ending = Literal["completed", "failed", "waiting_input", "queued"]


@dataclass(frozen=True)
class End:
    """How a worker lets go of a run; `queued` hands it back."""

    state: Ending
    value: str
    """JSON of the result, or of the error."""
    data: str
    """JSON of the event."""
    remembered: Sequence[Message] = ()
    approvals: Sequence[str] = ()
    expires: float = 0.0
    """Unix time at which waiting ends."""


@dataclass
class Write:
    """One fenced change of one run; `number` grows with each write of a claim."""

    claim: Claim
    number: int
    step: int
    journal: dict[str, str] = field(default_factory=dict)
    events: list[tuple[str, str]] = field(default_factory=list)
    """Type and JSON."""
    end: End | None = None


@dataclass(frozen=True)
class Written:
    """`stale`: nothing changed, the run is somebody else's. `repeated`: it was there already."""

    outcome: Literal["ok", "stale", "repeated"]
    ids: Sequence[str] = ()
    """Of the events, that of the end last."""


@dataclass(frozen=True)
class Beat:
    """What a worker learns from a heartbeat."""

    lost: Sequence[str] = ()
    """Runs that are not its own any more."""
    strays: Sequence[str] = ()
    """Queue entries that it holds and does not know of."""


@dataclass(frozen=True)
class Reaped:
    """What a look at all unfinished runs found."""

    given_back: int = 0
    dead: int = 0
    queued: int = 0
    """Length of the queue."""


Answered = Literal["ok", "unknown", "answered", "idle", "no_approval"]
Canceled = Literal["ok", "unknown", "ended"]


class SessionBusyError(Exception):
    """The session has an unfinished run, and the request did not want to wait."""


class QueueFullError(Exception):
    """Too many runs wait."""


class RunStore(Protocol):
    """Every method raises MemoryUnavailableError where the store can't be reached."""

    async def submit(self, run: NewRun, worker: str) -> Submitted:
        """`worker` may be empty: nobody here has room. SessionBusyError, QueueFullError."""
        ...

    async def next(self, worker: str, seconds: float) -> Claim | None:
        """The run that has waited longest; None after `seconds` without one."""
        ...

    async def claim(self, worker: str, entry: str) -> Claim | None:
        """A queue entry that the worker holds; None if there is nothing left to do for it."""
        ...

    async def write(self, worker: str, writes: Sequence[Write]) -> list[Written]: ...

    async def confirm(self) -> bool:
        """Whether what was written so far would survive the loss of the server that took it, as far
        as that was asked for."""
        ...

    async def beat(self, worker: str, runs: Mapping[str, int]) -> Beat:
        """Renew the lease of a worker; `runs` are those it works on, with their fences."""
        ...

    async def leave(self, worker: str) -> None:
        """The worker stops; what it still holds goes back to the queue and costs no attempt."""
        ...

    async def reap(self, worker: str) -> Reaped:
        """Take from lost workers what they held; whoever asks is itself none."""
        ...

    async def get(self, tenant: str, run_id: str) -> RunRecord | None: ...

    async def list(
        self,
        tenant: str,
        *,
        session: str | None,
        state: RunState | None,
        limit: int,
        cursor: str | None,
    ) -> Page: ...

    def events(self, run_id: str, after: str | None) -> AsyncGenerator[RunEvent]:
        """From the log, then as they are written by anybody; ends after a terminal event."""
        ...

    async def cancel(self, tenant: str, run_id: str, reason: str) -> Canceled: ...

    async def answer(self, tenant: str, run_id: str, answers: Mapping[str, str]) -> Answered:
        """Decisions as JSON by approval id."""
        ...

    async def session(self, tenant: str, session: str) -> SessionRecord: ...

    async def forget(self, tenant: str, session: str) -> None:
        """Drop the session's messages."""
        ...

    async def close(self) -> None: ...
