"""The OpenAI-compatible surface: chat completions and the one model, which is the agent."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from agent_runtime.agent.engine import RunRequest
from agent_runtime.api.body import documented_body, json_object
from agent_runtime.api.chat_answer import ChatAnswer
from agent_runtime.api.chat_request import SESSION_HEADER, ChatRequest, read_chat, session_of
from agent_runtime.api.stream import RunStream
from agent_runtime.assembly import AgentRuntime

TRACE_HEADER = "x-trace-id"


def router(runtime: AgentRuntime) -> APIRouter:
    """Routes under /v1."""
    routes = APIRouter(prefix="/v1", tags=["openai"])

    @routes.get("/models", summary="The agent as a model")
    async def models(request: Request) -> dict[str, Any]:
        await runtime.authenticator.identify(request.headers)
        model = {"id": runtime.name, "object": "model", "created": 0, "owned_by": "agent"}
        return {"object": "list", "data": [model]}

    @routes.post(
        "/chat/completions", summary="Ask the agent", openapi_extra=documented_body(ChatRequest)
    )
    async def chat(request: Request) -> Response:
        identity = await runtime.authenticator.identify(request.headers)
        chat_request = read_chat(await json_object(request), runtime.name)
        run = RunRequest(
            identity=identity,
            messages=[message.to_message() for message in chat_request.messages],
            session=session_of(chat_request, request.headers),
            headers=request.headers,
            temperature=chat_request.temperature,
            max_tokens=chat_request.wanted_tokens,
        )
        answer = ChatAnswer(runtime.name)
        if chat_request.stream:
            return await _streamed(runtime, run, answer, usage=chat_request.wants_usage)
        result = await runtime.engine.run(run)
        headers = {TRACE_HEADER: result.trace_id, SESSION_HEADER: result.session}
        return JSONResponse(answer.whole(result), headers=headers)

    return routes


async def _streamed(
    runtime: AgentRuntime, run: RunRequest, answer: ChatAnswer, *, usage: bool
) -> Response:
    stream = RunStream(runtime.engine, run, answer)
    try:
        await stream.start()
    except BaseException:
        stream.cancel()
        raise
    headers = {
        TRACE_HEADER: stream.trace_id,
        SESSION_HEADER: stream.session,
        "cache-control": "no-store",
        "x-accel-buffering": "no",
    }
    return StreamingResponse(
        stream.events(usage=usage), media_type="text/event-stream", headers=headers
    )
