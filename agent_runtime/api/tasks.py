"""Tasks: runs that nobody needs to wait for, and everything that can be asked about them."""

import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from agent_runtime.api.body import documented_body, read_body
from agent_runtime.api.decisions import decided
from agent_runtime.api.documented import PROBLEMS, Task, Tasks, events
from agent_runtime.api.feed import Feed
from agent_runtime.api.sse import KEEP_ALIVE, KEEP_ALIVE_SECONDS, EventStream, frame
from agent_runtime.api.surface import Surface, bounded, checked_session, idempotency_key
from agent_runtime.api.task_request import InputBody, TaskBody
from agent_runtime.api.task_view import OWN, event_data, task_of
from agent_runtime.errors import RequestError, invalid
from agent_runtime.memory.approval_desk import Answer
from agent_runtime.runs.port import RunRequest, RunState

_EVENT_ID = re.compile(r"[0-9]{1,20}(-[0-9]{1,20})?")


def router(surface: Surface) -> APIRouter:
    """Routes under /v1/tasks; a task of another tenant does not exist."""
    routes = APIRouter(prefix="/v1/tasks", tags=["tasks"], responses=PROBLEMS)

    @routes.post(
        "", summary="Begin a task", status_code=202, openapi_extra=documented_body(TaskBody)
    )
    async def begin(request: Request, response: Response) -> Task:
        identity = await surface.caller(request)
        body = await read_body(request, TaskBody)
        wanted = body.response_format
        chain = surface.chain(request.headers)
        run = await surface.runs.submit(
            RunRequest(
                identity=identity,
                messages=body.asked(),
                session=body.session_id,
                headers=request.headers,
                temperature=body.temperature,
                max_tokens=body.max_tokens,
                response_format=wanted.model_dump(by_alias=True, exclude_none=True)
                if wanted
                else None,
                idempotency_key=idempotency_key(request.headers),
                on_busy=body.on_busy,
                background=True,
                limits=bounded(chain, body.wanted_limits()),
                chain=chain.agents,
                tainted=chain.tainted,
                metadata={"surface": "tasks", OWN: body.metadata},
            )
        )
        response.headers["location"] = f"/v1/tasks/{run.id}"
        return task_of(run)

    @routes.get("", summary="Tasks, newest first")
    async def listed(
        request: Request,
        session_id: str | None = None,
        state: RunState | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        cursor: Annotated[str | None, Query(max_length=256)] = None,
    ) -> Tasks:
        identity = await surface.caller(request)
        session = checked_session(session_id, "session_id")
        page = await surface.runs.list(
            identity.tenant, session=session, state=state, limit=limit, cursor=cursor
        )
        return Tasks(data=[task_of(run) for run in page.runs], next=page.next)

    @routes.get("/{task_id}", summary="One task")
    async def one(task_id: str, request: Request) -> Task:
        identity = await surface.caller(request)
        return task_of(await surface.runs.get(identity.tenant, task_id))

    @routes.get(
        "/{task_id}/events",
        summary="What happens, as server-sent events; `Last-Event-ID` goes on from there",
        responses=events("Events until the task ends"),
        response_model=None,
    )
    async def follow(task_id: str, request: Request) -> Response:
        identity = await surface.caller(request)
        after = request.headers.get("last-event-id") or None
        if after and not _EVENT_ID.fullmatch(after):
            raise invalid("this is no id of an event", param="last-event-id")
        await surface.runs.get(identity.tenant, task_id)
        surface.streams.take()
        feed = Feed(
            surface.runs, identity.tenant, task_id, after=after, on_stop=surface.streams.give
        )
        return EventStream(_frames(feed), {}, feed.stop)

    @routes.post("/{task_id}/cancel", summary="Stop a task")
    async def cancel(task_id: str, request: Request) -> Task:
        identity = await surface.caller(request)
        return task_of(await surface.runs.cancel(identity.tenant, task_id))

    @routes.post(
        "/{task_id}/input",
        summary="Answer what a task waits for",
        openapi_extra=documented_body(InputBody),
    )
    async def give_input(task_id: str, request: Request) -> Task:
        identity = await surface.caller(request)
        body = await read_body(request, InputBody)
        run = await surface.runs.get(identity.tenant, task_id)
        answers = {
            approval_id: Answer(each.decision == "approve", each.answer)
            for approval_id, each in body.answers.items()
        }
        return task_of(await decided(surface, identity, run, answers))

    return routes


async def _frames(feed: Feed) -> AsyncIterator[str]:
    """The events with their ids; a store that goes away is an event too, told without an id."""
    try:
        while not feed.ended:
            found = await feed.next(KEEP_ALIVE_SECONDS)
            text = "".join(
                frame(event_data(event), event=event.type, event_id=event.id) for event in found
            )
            if text or not feed.ended:
                yield text or KEEP_ALIVE
    except RequestError as error:
        yield frame(error.problem(), event="error")
