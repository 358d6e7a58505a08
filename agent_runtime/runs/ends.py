"""The ways in which a worker lets go of a run."""

from collections.abc import Sequence

from agent_runtime.agent.completion import Message
from agent_runtime.agent.result import RunResult
from agent_runtime.errors import RequestError
from agent_runtime.runs.packing import dumps
from agent_runtime.runs.store import End


def completed(result: RunResult, remembered: Sequence[Message]) -> End:
    value = dumps(result)
    return End("completed", value, f'{{"state":"completed","result":{value}}}', remembered)


def waiting(result: RunResult, expires: float) -> End:
    """`expires` is the Unix time at which waiting ends."""
    value = dumps(result)
    return End(
        "waiting_input",
        value,
        f'{{"state":"waiting_input","result":{value}}}',
        approvals=[str(each["id"]) for each in result.approvals],
        expires=expires,
    )


def failed(error: RequestError) -> End:
    value = dumps({"code": error.code, "message": error.message, "status": error.status})
    return End("failed", value, f'{{"state":"failed","error":{value}}}')


def handed_back(step: int) -> End:
    """The worker must stop; another one goes on from the journal."""
    data = dumps({"step": step, "attempt": 1, "reason": "worker stopped"})
    return End("queued", "", data)
