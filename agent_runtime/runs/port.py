"""What every surface knows of runs: a run is one request to the agent, and outlives its client.

Times are Unix seconds. Every method raises RequestError: 404 for what is unknown or belongs to
another tenant, 503 with Retry-After where the store can't be reached.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from agent_runtime.agent.completion import Message
from agent_runtime.agent.context import Decision
from agent_runtime.agent.result import RunResult
from agent_runtime.auth import Identity

RunState = Literal[
    "queued", "running", "waiting_input", "completed", "failed", "canceled", "rejected"
]
TERMINAL: frozenset[RunState] = frozenset({"completed", "failed", "canceled", "rejected"})

OnBusy = Literal["enqueue", "reject", "interrupt", "rollback"]
"""What becomes of a request whose session has a run that is not finished.

`enqueue`: it waits its turn. `reject`: RequestError 409 `session_busy`. `interrupt`: the other run
is canceled, what was asked there stays in the conversation. `rollback`: canceled and forgotten.
"""

EventType = Literal[
    "run.queued",
    "run.running",
    "run.waiting_input",
    "run.completed",
    "run.failed",
    "run.canceled",
    "run.rejected",
    "step.restarted",
    "text.delta",
    "tool.started",
    "tool.finished",
]
ENDS: frozenset[EventType] = frozenset(
    {"run.completed", "run.failed", "run.canceled", "run.rejected"}
)


@dataclass(frozen=True)
class Limits:
    """A caller's own limits; the smaller of these and the document's hold."""

    steps: int | None = None
    tool_calls: int | None = None
    tokens: int | None = None
    usd: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class RunRequest:
    """One request to the agent, as a surface hands it in."""

    identity: Identity
    messages: Sequence[Message]
    session: str | None = None
    """None: a new session."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the caller's request; only the trace headers are used and kept."""
    temperature: float | None = None
    max_tokens: int | None = None
    response_format: Mapping[str, Any] | None = None
    """OpenAI's `response_format`; of type `json_schema` the answer is checked against it."""
    idempotency_key: str | None = None
    """The same key of the same tenant and agent gives the same run, for a day; RequestError 409
    `idempotency_conflict` where the request differs."""
    on_busy: OnBusy | None = None
    """Default: what the agent's settings say (`enqueue`)."""
    background: bool = False
    """True: nobody waits; another replica may start it even where this one has room."""
    limits: Limits = Limits()
    chain: tuple[str, ...] = ()
    """Agents above this request, for calls from agent to agent."""
    tainted: bool = False
    """Whether the words rest on content from outside, as an asking agent says."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """JSON that is stored with the run and given back as it is (16 KiB at most)."""


@dataclass(frozen=True)
class RunError:
    """Why a run failed; `status` is the HTTP status a waiting caller gets."""

    code: str
    message: str
    status: int = 500


@dataclass(frozen=True)
class RunRecord:
    """What is known of a run at one moment."""

    id: str
    tenant: str
    user: str
    session: str
    state: RunState
    created: float
    updated: float
    attempt: int = 0
    """Workers that began it; above 1 after a worker was lost."""
    trace_id: str = ""
    messages: tuple[Message, ...] = ()
    """What was asked."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    result: RunResult | None = None
    """Set in `completed`, and in `waiting_input` with the approvals that are waited for."""
    error: RunError | None = None
    """Set in `failed`, `rejected`."""

    @property
    def approvals(self) -> list[dict[str, Any]]:
        """What is waited for, as approvers are shown it."""
        return self.result.approvals if self.result and self.state == "waiting_input" else []


@dataclass(frozen=True)
class RunEvent:
    """One entry of a run's event log; `id` comes from the store and only grows within a run.

    data by type:
    - `run.*`: `{"state"}`; with `result` (RunResult as JSON) in waiting_input and completed, with
      `error` (`{"code", "message", "status"}`) in failed and rejected; running has `attempt`.
    - `text.delta`: `{"step", "text"}`; `step.restarted`: `{"step", "attempt", "reason"}`: the
      deltas of that step that came before are void.
    - `tool.started`: `{"id", "name", "arguments"}`; `tool.finished`: the call's record.
    """

    id: str
    type: EventType
    data: Mapping[str, Any]

    @property
    def last(self) -> bool:
        """Nothing follows."""
        return self.type in ENDS


@dataclass(frozen=True)
class Page:
    """Some runs, newest first."""

    runs: tuple[RunRecord, ...]
    next: str | None
    """The cursor for what follows; None at the end."""


@dataclass(frozen=True)
class SessionRecord:
    """A conversation and what happens in it."""

    id: str
    messages: tuple[Message, ...]
    active: str | None
    """The run that has the session now."""
    waiting: tuple[str, ...]
    """Runs that wait their turn, in order."""


class RunService(Protocol):
    """Every surface starts, watches and steers runs through this."""

    async def submit(self, request: RunRequest) -> RunRecord:
        """Once it returns, the run is stored and will end whatever becomes of this process.

        RequestError 409 `session_busy`, 409 `idempotency_conflict`, 429 `queue_full`.
        """
        ...

    async def get(self, tenant: str, run_id: str) -> RunRecord: ...

    async def list(
        self,
        tenant: str,
        *,
        session: str | None = None,
        state: RunState | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page: ...

    def events(
        self, tenant: str, run_id: str, *, after: str | None = None, ahead: bool = False
    ) -> AsyncIterator[RunEvent]:
        """The events after the given id (None: from the first), then as they happen.

        `ahead`: the first words of a step may come without an id, before they are stored.
        Goes on through `run.waiting_input`; ends after a terminal event. Close it (`aclosing`)
        when leaving early. RequestError may be raised by any step of the iteration.
        """
        ...

    async def cancel(self, tenant: str, run_id: str) -> RunRecord:
        """Terminal at once; a worker's later writes are refused. 409 `run_ended` if it ended."""
        ...

    async def give_input(
        self, tenant: str, run_id: str, answers: Mapping[str, Decision]
    ) -> RunRecord:
        """Answer what a waiting run waits for, by approval id; it goes on once all are answered.

        The first answer to an approval stands: 409 `already_answered` for another one,
        409 `not_waiting` where the run waits for nothing, 404 `approval_not_found`.
        """
        ...

    async def session(self, tenant: str, session: str) -> SessionRecord: ...

    async def delete_session(self, tenant: str, session: str) -> None:
        """Forget the conversation; its unfinished runs are canceled."""
        ...
