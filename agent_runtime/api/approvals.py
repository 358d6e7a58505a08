"""People's decisions: what waits for one, and the answer that goes on from there."""

from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, ValidationError

from agent_runtime.agent.context import Decision
from agent_runtime.api.body import documented_body, json_object
from agent_runtime.api.chat_answer import ChatAnswer
from agent_runtime.assembly import AgentRuntime
from agent_runtime.errors import RequestError, invalid, unavailable
from agent_runtime.memory.ports import MemoryUnavailableError


class DecisionBody(BaseModel):
    """A decision; `answer` is handed to a tool that asked, or given as the reason of a refusal."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["approve", "reject"]
    answer: str = ""


def router(runtime: AgentRuntime) -> APIRouter:
    """Routes under /v1/approvals; each tenant sees and decides its own."""
    routes = APIRouter(prefix="/v1/approvals", tags=["approvals"])

    @routes.get("", summary="What waits for a person")
    async def pending(request: Request) -> dict[str, Any]:
        identity = await runtime.authenticator.identify(request.headers)
        try:
            found = await runtime.approvals.pending(identity.tenant)
        except MemoryUnavailableError as error:
            raise unavailable(str(error), code="memory_unavailable") from error
        return {"object": "list", "data": [approval.public() for approval in found]}

    @routes.post(
        "/{approval_id}", summary="Decide, and go on", openapi_extra=documented_body(DecisionBody)
    )
    async def decide(approval_id: str, request: Request) -> Response:
        identity = await runtime.authenticator.identify(request.headers)
        try:
            body = DecisionBody.model_validate(await json_object(request))
        except ValidationError as error:
            first = error.errors()[0]
            param = ".".join(str(part) for part in first["loc"])
            raise invalid(f"{param}: {first['msg']}", param=param) from None
        try:
            approval = await runtime.approvals.take(identity.tenant, approval_id)
        except MemoryUnavailableError as error:
            raise unavailable(str(error), code="memory_unavailable") from error
        if approval is None:
            text = "no such approval waits: it is unknown, decided or expired"
            raise RequestError(404, "approval_not_found", text)
        decision = Decision(body.decision == "approve", identity.user, body.answer)
        result = await runtime.engine.resume(approval, decision, request.headers)
        return JSONResponse(
            ChatAnswer(runtime.name).whole(result), headers={"x-trace-id": result.trace_id}
        )

    return routes
