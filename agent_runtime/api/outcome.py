"""How a run came to a halt: with a result, waiting for people, or not at all."""

from agent_runtime.agent.result import RunResult
from agent_runtime.api.surface import canceled
from agent_runtime.errors import RequestError, unexpected
from agent_runtime.runs.port import RunEvent


def outcome(event: RunEvent) -> RunResult | RequestError | None:
    """What an event means for a caller who waits; None: go on waiting."""
    if event.type in ("run.completed", "run.waiting_input"):
        return RunResult(**event.data["result"])
    if event.type in ("run.failed", "run.rejected"):
        return failed(event)
    return canceled() if event.type == "run.canceled" else None


def failed(event: RunEvent) -> RequestError:
    """The error that a failed or rejected run reports."""
    error = event.data.get("error")
    if not error:
        return unexpected()
    status = int(error.get("status", 500))
    retry = 5 if status in (429, 503) else None
    return RequestError(status, error["code"], error["message"], retry_after_seconds=retry)


def run_lost() -> RequestError:
    """The events ended without an end of the run, which its store forbids."""
    return RequestError(502, "run_lost", "the run's end was not found; ask again")
