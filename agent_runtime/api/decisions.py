"""A person's word reaches the run that waits for it, whatever surface it came through."""

from collections.abc import Mapping

from agent_runtime.agent.context import Decision
from agent_runtime.api.surface import Surface
from agent_runtime.auth import Identity
from agent_runtime.errors import RequestError, invalid
from agent_runtime.memory.approval_desk import Answer
from agent_runtime.runs.port import RunRecord


async def decided(
    surface: Surface, identity: Identity, run: RunRecord, answers: Mapping[str, Answer]
) -> RunRecord:
    """The run after the answers, by approval id; it goes on once nothing is left to decide.

    The desk checks who may decide before the run hears of it; repeating the same call after a crash
    anywhere in between is safe. Raises RequestError.
    """
    if run.state != "waiting_input":
        raise RequestError(409, "not_waiting", f"this run waits for nothing: it is {run.state}")
    waiting = [str(each["id"]) for each in run.approvals]
    if unknown := sorted(set(answers) - set(waiting)):
        text = f"this run does not wait for {unknown[0]!r}"
        raise RequestError(404, "approval_not_found", text)
    desk = surface.runtime.desk
    for approval_id, answer in answers.items():
        await desk.decide(identity, approval_id, answer, trace_id=run.trace_id)
    given = {
        approval_id: Decision(answer.approved, identity.user, answer.text)
        for approval_id, answer in answers.items()
    }
    return await surface.runs.give_input(identity.tenant, run.id, given)


def all_answered(run: RunRecord, answers: Mapping[str, Answer]) -> None:
    """For surfaces that answer in one message: raises where something stays open."""
    missing = sorted({str(each["id"]) for each in run.approvals} - set(answers))
    if missing:
        raise invalid(f"decide everything at once: {', '.join(missing)} is missing")
