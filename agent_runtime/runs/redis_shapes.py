"""What the Lua programs take and give, as the types of the store."""

from collections.abc import Sequence
from typing import Any

from agent_runtime.runs.packing import dumps, error_of, loads, result_of
from agent_runtime.runs.port import RunEvent, RunRecord
from agent_runtime.runs.store import Claim, NewRun, Submitted, Write, Written

RECORD = (
    *("tenant", "user", "session", "state", "created", "updated", "attempt", "trace"),
    *("request", "result", "error"),
)
QUEUED = {"state": "queued"}


class ForeignQueueError(Exception):
    """Another agent uses the same queue; its entry was put back."""

    def __init__(self, queue: str, agent: str) -> None:
        super().__init__(f"queue {queue!r} also holds runs of agent {agent!r}: set AGENT_QUEUE")


def record(run_id: str, values: Sequence[bytes | None]) -> RunRecord | None:
    """From the fields RECORD; None where the run is gone."""
    fields = dict(zip(RECORD, values, strict=True))
    if fields["state"] is None:
        return None
    text = {name: (value or b"").decode() for name, value in fields.items()}
    request = loads(text["request"] or "{}")
    state: Any = text["state"]
    return RunRecord(
        id=run_id,
        tenant=text["tenant"],
        user=text["user"],
        session=text["session"],
        state=state,
        created=int(text["created"] or 0) / 1000,
        updated=int(text["updated"] or 0) / 1000,
        attempt=int(text["attempt"] or 0),
        trace_id=text["trace"],
        messages=tuple(request.get("messages", ())),
        metadata=request.get("metadata", {}),
        result=result_of(fields["result"]),
        error=error_of(fields["error"]),
    )


def submitted(run: NewRun, answer: Sequence[Any]) -> Submitted:
    """After a `queued` or `taken` submission."""
    taken = answer[0] == b"taken"
    request = loads(run.request)
    created = int(answer[2]) / 1000
    found = RunRecord(
        id=run.id,
        tenant=run.tenant,
        user=run.user,
        session=run.session,
        state="running" if taken else "queued",
        created=created,
        updated=created,
        attempt=1 if taken else 0,
        trace_id=run.trace_id,
        messages=tuple(request["messages"]),
        metadata=request["metadata"],
    )
    if not taken:
        return Submitted(found)
    fence, attempt, event, history = answer[3:7]
    events = []
    if attempt == 1:
        running = {"state": "running", "attempt": attempt}
        events = [
            RunEvent(answer[1].decode(), "run.queued", QUEUED),
            RunEvent(event.decode(), "run.running", running),
        ]
    mine = Claim(
        run_id=run.id,
        fence=fence,
        attempt=attempt,
        tenant=run.tenant,
        user=run.user,
        session=run.session,
        request=request,
        trace_id=run.trace_id,
        created=created,
        history=[loads(each) for each in history],
        events=events,
    )
    return Submitted(found, mine)


def claim(answer: Sequence[Any]) -> Claim:
    """After a `taken` claim."""
    _, run_id, fence, attempt, _event, run, journal, history = answer
    fields = {run[i].decode(): run[i + 1].decode() for i in range(0, len(run), 2)}
    return Claim(
        run_id=run_id.decode(),
        fence=fence,
        attempt=attempt,
        tenant=fields["tenant"],
        user=fields["user"],
        session=fields["session"],
        request=loads(fields["request"]),
        trace_id=fields["trace"],
        created=int(fields["created"]) / 1000,
        step=int(fields["step"]),
        journal={journal[i].decode(): loads(journal[i + 1]) for i in range(0, len(journal), 2)},
        history=[loads(each) for each in history],
    )


def packed_writes(writes: Sequence[Write]) -> str:
    """Several writes as the program `write` reads them."""
    return dumps([_packed(each) for each in writes])


def _packed(write: Write) -> list[Any]:
    end, claimed = write.end, write.claim
    head: list[Any] = [claimed.run_id, str(claimed.fence), str(write.number), str(write.step)]
    if end is None:
        head += ["", "", "", "", "0"]
    else:
        field = "error" if end.state == "failed" else "result"
        head += [end.state, field, end.value, end.data, str(int(end.expires * 1000))]
    journal = [part for pair in write.journal.items() for part in pair]
    events = [part for pair in write.events for part in pair]
    remembered = [dumps(message) for message in end.remembered] if end else []
    approvals = list(end.approvals) if end else []
    return [*head, journal, events, remembered, approvals]


def written(answer: Sequence[Any]) -> Written:
    outcome: Any = answer[0].decode()
    return Written(outcome, [each.decode() for each in answer[1]] if len(answer) > 1 else [])


def event(stored: tuple[bytes, dict[bytes, bytes]]) -> RunEvent:
    """One entry of an event stream."""
    name, fields = stored
    kind: Any = fields[b"t"].decode()
    return RunEvent(name.decode(), kind, loads(fields[b"d"]))
