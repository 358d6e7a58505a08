"""The OpenAI-compatible surface: chat completions and the one model, which is the agent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from agent_runtime.agent.result import RunResult
from agent_runtime.api.body import documented_body, json_object
from agent_runtime.api.chat_answer import ChatAnswer, failure
from agent_runtime.api.chat_request import ChatRequest, read_chat, session_of
from agent_runtime.api.documented import OPENAI_ERRORS, ChatCompletion, Models, streamed
from agent_runtime.api.feed import Feed
from agent_runtime.api.outcome import outcome, run_lost
from agent_runtime.api.sse import KEEP_ALIVE, KEEP_ALIVE_SECONDS, EventStream
from agent_runtime.api.surface import (
    SESSION_HEADER,
    TRACE_HEADER,
    Surface,
    bounded,
    idempotency_key,
)
from agent_runtime.errors import RequestError
from agent_runtime.runs.port import RunEvent, RunRecord, RunRequest

CHAT_PATH = "/v1/chat/completions"
FIRST_EVENT_SECONDS = 5.0
"""How long an answer's status may wait for the first words; an error by then has its own status."""


def router(surface: Surface) -> APIRouter:
    """Routes under /v1."""
    routes = APIRouter(prefix="/v1", tags=["openai"], responses=OPENAI_ERRORS)

    @routes.get("/models", summary="The agent as a model")
    async def models(request: Request) -> Models:
        await surface.caller(request)
        return Models.of(surface.name)

    routes.post(
        "/chat/completions",
        summary="Ask the agent",
        openapi_extra=documented_body(ChatRequest),
        responses=streamed(ChatCompletion),
        response_model=None,
    )(chat_handler(surface))
    return routes


def chat_handler(surface: Surface) -> Callable[[Request], Awaitable[Response]]:
    """What answers a chat completion request. Raises RequestError."""

    async def chat(request: Request) -> Response:
        identity = await surface.caller(request)
        asked = read_chat(await json_object(request), surface.name)
        chain = surface.chain(request.headers)
        wanted = RunRequest(
            identity=identity,
            messages=[message.to_message() for message in asked.messages],
            session=session_of(asked, request.headers),
            headers=request.headers,
            temperature=asked.temperature,
            max_tokens=asked.wanted_tokens,
            response_format=asked.wanted_format,
            idempotency_key=idempotency_key(request.headers),
            limits=bounded(chain),
            chain=chain.agents,
            tainted=chain.tainted,
            metadata={"surface": "chat"},
        )
        if asked.stream:
            return await _streamed(surface, wanted, with_usage=asked.wants_usage)
        with surface.streams.one():
            run = await surface.runs.submit(wanted)
            result = await _waited(surface, run)
        body = ChatAnswer(surface.name, run.id).whole(result)
        return JSONResponse(body, headers=_headers(run))

    return chat


def _headers(run: RunRecord) -> dict[str, str]:
    return {TRACE_HEADER: run.trace_id, SESSION_HEADER: run.session}


async def _waited(surface: Surface, run: RunRecord) -> RunResult:
    """The result of a run, however long it takes. Raises the run's RequestError."""
    async with Feed(surface.runs, run.tenant, run.id) as feed:
        found = None
        async for event in feed.until_halt():
            found = outcome(event)
    if isinstance(found, RequestError):
        raise found
    if found is None:
        raise run_lost()
    return found


async def _streamed(surface: Surface, wanted: RunRequest, *, with_usage: bool) -> Response:
    surface.streams.take()
    try:
        run = await surface.runs.submit(wanted)
    except BaseException:
        surface.streams.give()
        raise
    # such a stream has no ids to go on from, so its first words need not be in the store
    feed = Feed(surface.runs, run.tenant, run.id, ahead=True, on_stop=surface.streams.give)
    try:
        first = await _first(feed)
    except BaseException:
        await feed.stop()
        raise
    answer = ChatAnswer(surface.name, run.id)
    frames = _frames(feed, first, answer, with_usage=with_usage)
    return EventStream(frames, _headers(run), feed.stop)


async def _first(feed: Feed) -> list[RunEvent]:
    """The events up to the first words. Raises the run's RequestError if that comes before."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + FIRST_EVENT_SECONDS
    found: list[RunEvent] = []
    while (left := deadline - loop.time()) > 0 and not feed.ended:
        found += await feed.next(left)
        for event in found:
            error = outcome(event)
            if isinstance(error, RequestError):
                raise error
        if any(event.type not in ("run.queued", "run.running") for event in found):
            break
    return found


async def _frames(
    feed: Feed, first: list[RunEvent], answer: ChatAnswer, *, with_usage: bool
) -> AsyncIterator[str]:
    """The stream's text; what came at once goes out at once."""
    events = first
    text = answer.opening()
    try:
        while events or not feed.ended:
            text += "".join(answer.told(event) for event in events)
            found = outcome(events[-1]) if events else None
            if isinstance(found, RequestError):
                yield text + failure(found)
                return
            if found and (found.status == "completed" or not await feed.more()):
                yield text + answer.end(found, with_usage=with_usage)
                return
            if text:
                yield text
            events = await feed.next(KEEP_ALIVE_SECONDS)
            text = "" if events or feed.ended else KEEP_ALIVE
        yield failure(run_lost())
    except RequestError as error:
        yield failure(error)
