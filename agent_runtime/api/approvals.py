"""People's decisions: what waits for one, and the answer that goes on from there."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from agent_runtime.api.body import documented_body, read_body
from agent_runtime.api.decisions import decided
from agent_runtime.api.documented import PROBLEMS, Approvals, AuditEntries, Task
from agent_runtime.api.surface import Surface
from agent_runtime.api.task_request import DecisionBody
from agent_runtime.api.task_view import task_of
from agent_runtime.errors import RequestError
from agent_runtime.memory.approval_desk import Answer


def router(surface: Surface) -> APIRouter:
    """Routes under /v1/approvals; each tenant sees and decides its own."""
    routes = APIRouter(prefix="/v1/approvals", tags=["approvals"], responses=PROBLEMS)

    @routes.get("", summary="What waits for a person")
    async def pending(request: Request) -> Approvals:
        identity = await surface.caller(request)
        found = await surface.runtime.desk.pending(identity.tenant)
        return Approvals(data=[approval.public() for approval in found])

    @routes.get("/audit", summary="Who asked, decided and used what")
    async def audit(
        request: Request,
        start: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
        count: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> AuditEntries:
        identity = await surface.caller(request)
        trail = surface.runtime.desk.audit
        found = await trail.entries(identity.tenant, start=start, count=count)
        return AuditEntries(data=[entry.public() for entry in found])

    @routes.post(
        "/{approval_id}",
        summary="Decide; the run goes on",
        openapi_extra=documented_body(DecisionBody),
    )
    async def decide(approval_id: str, request: Request) -> Task:
        identity = await surface.caller(request)
        body = await read_body(request, DecisionBody)
        approval = await surface.runtime.approvals.get(identity.tenant, approval_id)
        if approval is None:
            text = "no such approval waits: it is unknown, decided or expired"
            raise RequestError(404, "approval_not_found", text)
        run = await surface.runs.get(identity.tenant, approval.run_id)
        answer = Answer(body.decision == "approve", body.answer)
        return task_of(await decided(surface, identity, run, {approval_id: answer}))

    return routes
