"""One run as the in-process store keeps it."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import Any, Self

from agent_runtime.agent.completion import Message
from agent_runtime.runs.packing import loads
from agent_runtime.runs.port import RunEvent, RunRecord, RunState
from agent_runtime.runs.store import Claim, NewRun


@dataclass
class KeptRun:
    """Everything about a run; `record` is what others see."""

    new: NewRun
    record: RunRecord
    fence: int = 0
    number: int = 0
    """Of the last write."""
    step: int = 0
    journal: dict[str, Any] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    """Approvals that are waited for."""
    answers: dict[str, str] = field(default_factory=dict)
    expires: float = 0.0
    events: list[RunEvent] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def of(cls, run: NewRun) -> Self:
        """Just queued."""
        request = loads(run.request)
        now = time.time()
        record = RunRecord(
            id=run.id,
            tenant=run.tenant,
            user=run.user,
            session=run.session,
            state="queued",
            created=now,
            updated=now,
            trace_id=run.trace_id,
            messages=tuple(request["messages"]),
            metadata=request["metadata"],
        )
        return cls(run, record)

    def claimed(self, history: list[Message]) -> Claim:
        """The run in the hands of a worker, the only one that may write from here on."""
        self.fence += 1
        self.number = 0
        record = self.record
        decisions = {f"d:{each}": loads(value) for each, value in self.answers.items()}
        return Claim(
            run_id=record.id,
            fence=self.fence,
            attempt=record.attempt,
            tenant=record.tenant,
            user=record.user,
            session=record.session,
            request=loads(self.new.request),
            trace_id=record.trace_id,
            created=record.created,
            step=self.step,
            journal={**self.journal, **decisions},
            history=history,
            events=list(self.events) if record.attempt == 1 else [],
        )

    def change(self, state: RunState, **more: Any) -> None:
        self.record = replace(self.record, state=state, updated=time.time(), **more)

    def log(self, event_id: str, kind: Any, data: str) -> str:
        """The event's id."""
        self.events.append(RunEvent(event_id, kind, loads(data)))
        self.changed.set()
        return event_id
