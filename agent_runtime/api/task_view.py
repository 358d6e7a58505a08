"""A run as `/v1/tasks` shows it."""

from typing import Any

from agent_runtime.agent.result import RunResult
from agent_runtime.api.chat_answer import usage
from agent_runtime.api.documented import Task, TaskOutput, Usage
from agent_runtime.api.error_answer import Problem
from agent_runtime.api.outcome import failed
from agent_runtime.errors import RequestError
from agent_runtime.runs.port import RunEvent, RunRecord

_SAID = ("waiting_input", "completed")
OWN = "client"
"""Where a run keeps the metadata that its caller gave; the rest of it is the surface's."""


def task_of(run: RunRecord) -> Task:
    error = run.error
    told = RequestError(error.status, error.code, error.message) if error else None
    return Task(
        id=run.id,
        state=run.state,
        session_id=run.session,
        created_at=run.created,
        updated_at=run.updated,
        attempt=run.attempt,
        trace_id=run.trace_id,
        input=list(run.messages),
        output=_output(run.result) if run.result and run.state in _SAID else None,
        approvals=run.approvals,
        error=Problem(**told.problem()) if told else None,
        metadata=dict(run.metadata.get(OWN, {})),
    )


def event_data(event: RunEvent) -> dict[str, Any]:
    """The data of one server-sent event."""
    data = dict(event.data)
    if "result" in data:
        result = RunResult(**data.pop("result"))
        data["output"] = _output(result).model_dump()
        data["approvals"] = result.approvals
    if data.get("error"):
        data["error"] = failed(event).problem()
    return data


def _output(result: RunResult) -> TaskOutput:
    return TaskOutput(
        text=result.text,
        finish_reason=result.finish_reason,
        model=result.model,
        usage=Usage(**usage(result)),
        sources=[dict(each) for each in result.sources],
        tool_calls=[dict(each) for each in result.calls],
        limit=result.limit or None,
        degraded=result.degraded,
    )
