"""What a worker records of the run in its hands: staged at once, stored in batches, then told."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from agent_runtime.runs.packing import dumps, loads
from agent_runtime.runs.port import EventType, RunEvent
from agent_runtime.runs.store import Claim, End, Write

Listener = asyncio.Queue[RunEvent | None]


class RunLostError(Exception):
    """The run is somebody else's, or over; nothing that is done for it counts any more."""


@dataclass(frozen=True)
class _Ahead:
    """The first words of a step, told before they are stored."""

    step: int
    length: int
    heard_by: frozenset[Listener]

    def rest(self, event: RunEvent) -> RunEvent:
        """What the stored event says beyond them."""
        return replace(event, data={**event.data, "text": event.data["text"][self.length :]})


async def _confirmed() -> bool:
    return True


class RunLog:
    """The journal and the events of one claim."""

    def __init__(self, claim: Claim, wake: Callable[[], None], hurry: Callable[[], None]) -> None:
        """`wake` is called when there is something to store, `hurry` when somebody waits for it."""
        self.claim = claim
        self.step = claim.step
        self.lost = False
        self.let_go = False
        """Whether the work on the run was cut off; what is left is to write that down."""
        self.failure: Exception | None = None
        self.told = list(claim.events)
        """Events that are stored."""
        self.complete = bool(claim.events)
        """Whether `told` begins with the run's first event."""
        self.stored_at = 0.0
        """Event-loop time of the last write."""
        self._spoken = -1
        """The last step whose words were told."""
        self._wake = wake
        self._hurry = hurry
        self._number = 0
        self._journal: dict[str, Any] = {}
        self._staged: dict[str, str] = {}
        self._events: list[tuple[EventType, dict[str, Any]]] = []
        self._sent: list[tuple[EventType, dict[str, Any]]] = []
        self._end: End | None = None
        self._listeners: dict[Listener, bool] = {}
        """And whether it takes words that are not stored yet."""
        self._ahead: _Ahead | None = None
        self._stored: asyncio.Future[None] | None = None
        self.on_lost: Callable[[], None] = lambda: None
        self.confirmed: Callable[[], Awaitable[bool]] = _confirmed
        """Whether what is stored would survive the loss of the store's primary."""
        self.held: Callable[[], bool] = lambda: True
        """Whether nobody else can have the run at this moment, as far as the clock tells."""

    @property
    def pending(self) -> bool:
        return bool(self._staged or self._events or self._end)

    @property
    def speaks(self) -> bool:
        """Whether only words wait to be stored."""
        words = all(kind == "text.delta" for kind, _ in self._events)
        return words and not (self._staged or self._end)

    def earlier(self, key: str) -> Any:
        """What a former attempt recorded under `key`; None if nothing."""
        return self.claim.journal.get(key)

    def get(self, key: str) -> Any:
        """What any attempt recorded, this one's included."""
        return self._journal[key] if key in self._journal else self.claim.journal.get(key)

    def record(self, key: str, value: Any) -> None:
        """Stored soon; `barrier` waits for it."""
        self._journal[key] = value
        self._staged[key] = dumps(value)
        self._wake()

    def text(self, step: int, text: str) -> None:
        """A piece of the answer; pieces that wait together are stored as one.

        Whoever does not go by the ids of events hears the first words of a step at once.
        """
        if self._events and self._events[-1][0] == "text.delta":
            last = self._events[-1][1]
            if last["step"] == step:
                last["text"] += text
                return
        self.event("text.delta", {"step": step, "text": text})
        if self._spoken != step:
            self._spoken = step
            if not self._told_ahead(step, text):
                self._hurry()

    def restarted(self, step: int, attempt: int, reason: str) -> None:
        """What was said in this step so far is void."""
        self._spoken = -1
        self.event("step.restarted", {"step": step, "attempt": attempt, "reason": reason})

    def event(self, kind: EventType, data: dict[str, Any]) -> None:
        self._events.append((kind, data))
        self._wake()

    async def barrier(self) -> None:
        """Returns once everything recorded so far is stored. Raises RunLostError."""
        self._check()
        if not (self.pending or self._stored):
            return
        if self._stored is None:
            self._stored = asyncio.get_running_loop().create_future()
        stored = self._stored
        self._hurry()
        await asyncio.shield(stored)

    async def end(self, end: End) -> None:
        """Let go of the run; whatever was staged goes with it. Raises RunLostError."""
        self._check()
        self._end = end
        await self.barrier()

    def listen(self, *, ahead: bool = False) -> Listener:
        """A queue that gets each event once it is stored, and None when this log has no more.

        `ahead`: the first words of a step may come before, without an id. Where they are not stored
        after all, the step is told to begin again before the None.
        """
        queue: Listener = asyncio.Queue()
        self._listeners[queue] = ahead
        return queue

    def ignore(self, queue: Listener) -> None:
        self._listeners.pop(queue, None)

    def write(self) -> Write:
        """Everything that is staged, as the next write."""
        self._number += 1
        self._sent, self._events = self._events, []
        staged, self._staged = self._staged, {}
        events: list[tuple[str, str]] = [(kind, dumps(data)) for kind, data in self._sent]
        return Write(self.claim, self._number, self.step, staged, events, self._end)

    def written(self, write: Write, ids: list[str]) -> None:
        """The write is stored under these ids: tell those who listen."""
        sent, self._sent = self._sent, []
        for name, (kind, data) in zip(ids, sent, strict=False):
            self._tell(RunEvent(name, kind, data))
        if write.end:
            self._ended(write.end, ids, len(sent))
        self._settle()

    def lose(self, error: Exception | None = None) -> None:
        """Nothing more can be written."""
        if not self.lost:
            self.lost = True
            self.failure = error
            self.hang_up()
            self._settle()
            self.on_lost()

    def hang_up(self) -> None:
        """Those who listen must go on in the store."""
        ahead, self._ahead = self._ahead, None
        for queue in self._listeners:
            if ahead and queue in ahead.heard_by:
                again = {"step": ahead.step, "attempt": self.claim.attempt, "reason": "not stored"}
                queue.put_nowait(RunEvent("", "step.restarted", again))
            queue.put_nowait(None)

    def _ended(self, end: End, ids: list[str], sent: int) -> None:
        if end.state != "queued" and len(ids) > sent:
            kind: Any = f"run.{end.state}"
            self._tell(RunEvent(ids[-1], kind, loads(end.data)))
        self._end = None
        self.hang_up()

    def _tell(self, event: RunEvent) -> None:
        self.told.append(event)
        ahead = self._ahead
        if ahead and event.type == "text.delta" and event.data["step"] == ahead.step:
            self._ahead, rest = None, ahead.rest(event)
            for queue in self._listeners:
                queue.put_nowait(rest if queue in ahead.heard_by else event)
            return
        for queue in self._listeners:
            queue.put_nowait(event)

    def _told_ahead(self, step: int, text: str) -> bool:
        """Whether all who listen have heard these words; not where something else comes before."""
        if not self._listeners or not all(self._listeners.values()):
            return False
        if len(self._events) != 1 or self._sent or self._end:
            return False
        self._ahead = _Ahead(step, len(text), frozenset(self._listeners))
        for queue in self._listeners:
            queue.put_nowait(RunEvent("", "text.delta", {"step": step, "text": text}))
        return True

    def _settle(self) -> None:
        """Those who wait for the barrier go on, unless more was staged meanwhile."""
        if self._stored is None or (self.pending and not self.lost):
            return
        stored, self._stored = self._stored, None
        if not stored.done():
            if self.lost:
                stored.set_exception(self.failure or RunLostError(self.claim.run_id))
                stored.exception()
            else:
                stored.set_result(None)

    def _check(self) -> None:
        if self.lost:
            raise self.failure or RunLostError(self.claim.run_id)
