"""OpenAI's responses: streamed or not, in the background, read again, resumed and canceled."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse

from agent_runtime.api.body import documented_body, json_object
from agent_runtime.api.decisions import all_answered, decided
from agent_runtime.api.documented import OPENAI_ERRORS, OpenAIResponse, streamed
from agent_runtime.api.feed import THERE_SECONDS, Feed
from agent_runtime.api.responses_answer import ECHO, ResponseAnswer
from agent_runtime.api.responses_request import (
    ResponseId,
    ResponsesRequest,
    no_response,
    read_responses,
)
from agent_runtime.api.sse import KEEP_ALIVE, KEEP_ALIVE_SECONDS, EventStream, frame
from agent_runtime.api.surface import (
    SESSION_HEADER,
    TRACE_HEADER,
    Surface,
    bounded,
    checked_session,
    idempotency_key,
)
from agent_runtime.auth import Identity
from agent_runtime.errors import RequestError, invalid
from agent_runtime.runs.port import TERMINAL, RunRecord, RunRequest


def router(surface: Surface) -> APIRouter:
    """Routes under /v1/responses; a response of another tenant does not exist."""
    routes = APIRouter(prefix="/v1/responses", tags=["openai"], responses=OPENAI_ERRORS)

    @routes.post(
        "",
        summary="Ask the agent, or answer what it asks",
        openapi_extra=documented_body(ResponsesRequest),
        responses=streamed(OpenAIResponse),
        response_model=None,
    )
    async def create(request: Request) -> JSONResponse | EventStream:
        return await _create(surface, request)

    @routes.get(
        "/{response_id}",
        summary="A response as it stands; `stream` follows it from `starting_after`",
        responses=streamed(OpenAIResponse),
        response_model=None,
    )
    async def retrieve(
        response_id: str,
        request: Request,
        stream: bool = False,  # noqa: FBT001, FBT002 # a query parameter
        starting_after: Annotated[int, Query(ge=-1, le=1_000_000_000)] = -1,
    ) -> JSONResponse | EventStream:
        after = starting_after if stream else None
        return await _retrieve(surface, request, response_id, after)

    @routes.post("/{response_id}/cancel", summary="Stop a response")
    async def cancel(response_id: str, request: Request) -> OpenAIResponse:
        identity = await surface.caller(request)
        run, response = await _found(surface, identity, response_id)
        if run.state not in TERMINAL:
            try:
                run = await surface.runs.cancel(identity.tenant, run.id)
            except RequestError as error:
                if error.code != "run_ended":
                    raise
                run = await surface.runs.get(identity.tenant, run.id)
        answer = await _snapshot(surface, run, response)
        return OpenAIResponse(**answer.whole())

    return routes


async def _create(surface: Surface, request: Request) -> JSONResponse | EventStream:
    identity = await surface.caller(request)
    asked = read_responses(await json_object(request), surface.name)
    waits = bool(asked.stream) or not asked.background
    if not waits:
        run, response = await _started(surface, identity, asked, request)
        answer = await _snapshot(surface, run, response)
        return JSONResponse(answer.whole(), headers=_headers(run))
    surface.streams.take()
    try:
        run, response = await _started(surface, identity, asked, request)
    except BaseException:
        surface.streams.give()
        raise
    feed = Feed(surface.runs, run.tenant, run.id, on_stop=surface.streams.give)
    answer = ResponseAnswer(surface.name, run, response)
    if asked.stream:
        return EventStream(_frames(feed, answer, after=-1), _headers(run), feed.stop)
    async with feed:
        await _to_end(feed, answer)
    if answer.failure:
        raise answer.failure
    return JSONResponse(answer.whole(), headers=_headers(run))


async def _retrieve(
    surface: Surface, request: Request, response_id: str, after: int | None
) -> JSONResponse | EventStream:
    identity = await surface.caller(request)
    run, response = await _found(surface, identity, response_id)
    if after is None:
        answer = await _snapshot(surface, run, response)
        return JSONResponse(answer.whole(), headers=_headers(run))
    surface.streams.take()
    feed = Feed(surface.runs, run.tenant, run.id, on_stop=surface.streams.give)
    answer = ResponseAnswer(surface.name, run, response)
    frames = _frames(feed, answer, after=after)
    return EventStream(frames, _headers(run), feed.stop)


async def _started(
    surface: Surface, identity: Identity, asked: ResponsesRequest, request: Request
) -> tuple[RunRecord, ResponseId]:
    """A new run, or the next part of the one whose questions are answered."""
    _check_memory(surface, asked)
    session = checked_session(
        asked.wanted_session or request.headers.get(SESSION_HEADER), "conversation"
    )
    if asked.previous_response_id:
        before, previous = await _found(surface, identity, asked.previous_response_id)
        if answers := asked.answers:
            all_answered(before, answers)
            run = await decided(surface, identity, before, answers)
            return run, ResponseId(previous.run, previous.part + 1)
        session = before.session
    chain = surface.chain(request.headers)
    run = await surface.runs.submit(
        RunRequest(
            identity=identity,
            messages=asked.messages,
            session=session,
            headers=request.headers,
            temperature=asked.temperature,
            max_tokens=asked.max_output_tokens,
            response_format=asked.wanted_format,
            idempotency_key=idempotency_key(request.headers),
            background=bool(asked.background),
            limits=bounded(chain),
            chain=chain.agents,
            tainted=chain.tainted,
            metadata={"surface": "responses", ECHO: asked.echoed()},
        )
    )
    return run, ResponseId(run.id)


def _check_memory(surface: Surface, asked: ResponsesRequest) -> None:
    """A client that counts on a past is told when there is none."""
    goes_on = asked.previous_response_id and not asked.answers
    if not surface.remembers and (asked.conversation or goes_on):
        text = "this agent remembers nothing: its document names no memory"
        param = "conversation" if asked.conversation else "previous_response_id"
        raise invalid(text, param=param, code="unsupported_parameter")


async def _found(
    surface: Surface, identity: Identity, response_id: str
) -> tuple[RunRecord, ResponseId]:
    response = ResponseId.parse(response_id)
    try:
        return await surface.runs.get(identity.tenant, response.run), response
    except RequestError as error:
        if error.status == 404:
            raise no_response(response_id) from None
        raise


async def _snapshot(surface: Surface, run: RunRecord, response: ResponseId) -> ResponseAnswer:
    """The response from the events that there are."""
    answer = ResponseAnswer(surface.name, run, response)
    async with Feed(surface.runs, run.tenant, run.id) as feed:
        while not answer.done and not feed.ended:
            found = await feed.next(THERE_SECONDS)
            for event in found:
                answer.feed(event)
            if not found and run.state not in TERMINAL:
                break
    if not answer.begun:
        raise no_response(str(response))
    return answer


async def _to_end(feed: Feed, answer: ResponseAnswer) -> None:
    async for event in feed.every():
        answer.feed(event)
        if answer.done:
            return


async def _frames(feed: Feed, answer: ResponseAnswer, *, after: int) -> AsyncIterator[str]:
    """The response's events whose sequence number is above `after`."""
    try:
        while not answer.done and not feed.ended:
            found = await feed.next(KEEP_ALIVE_SECONDS)
            events = [each for event in found for each in answer.feed(event)]
            text = "".join(
                frame(each, event=each["type"])
                for each in events
                if each["sequence_number"] > after
            )
            if text or not found:
                yield text or KEEP_ALIVE
    except RequestError as error:
        told = {"type": "error", "code": error.code, "message": error.message, "param": None}
        yield frame({**told, "sequence_number": answer.next_number}, event="error")


def _headers(run: RunRecord) -> dict[str, str]:
    return {TRACE_HEADER: run.trace_id, SESSION_HEADER: run.session}
