"""Conversations: what is remembered of one, and forgetting it."""

from fastapi import APIRouter, Request

from agent_runtime.api.documented import PROBLEMS, Deleted, Session
from agent_runtime.api.surface import Surface, checked_session


def router(surface: Surface) -> APIRouter:
    """Routes under /v1/sessions; a session of another tenant does not exist."""
    routes = APIRouter(prefix="/v1/sessions", tags=["sessions"], responses=PROBLEMS)

    @routes.get("/{session_id}", summary="A conversation and what happens in it")
    async def one(session_id: str, request: Request) -> Session:
        identity = await surface.caller(request)
        checked_session(session_id, "session_id")
        found = await surface.runs.session(identity.tenant, session_id)
        return Session(
            id=found.id,
            messages=list(found.messages),
            active=found.active,
            waiting=list(found.waiting),
        )

    @routes.delete("/{session_id}", summary="Forget a conversation; its tasks are canceled")
    async def forget(session_id: str, request: Request) -> Deleted:
        identity = await surface.caller(request)
        checked_session(session_id, "session_id")
        await surface.runs.delete_session(identity.tenant, session_id)
        return Deleted(id=session_id)

    return routes
