"""Gemma 3 270M on llama.cpp behind OpenAI's chat completions, tool calls and streams included.

It is a base model: prompts and grammars make it act as a chat model (`base_model_prompts`). Its
tokens, latencies and streams are real; its wisdom is that of 270 million parameters.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from local.paths import Cache
from local.report import UserError
from local.workloads import gguf_model
from local.workloads.base_model_prompts import Passage, Prompt, answer_from, chat
from local.workloads.chat_plan import Plan, make_plan
from local.workloads.llama_engine import EngineError, LlamaEngine, Piece
from local.workloads.log_lines import log
from local.workloads.model_metrics import MEDIA_TYPE, ModelMetrics
from local.workloads.openai_shapes import (
    DONE,
    ChatMessage,
    ChatRequest,
    CompletionShape,
    RequestRefusedError,
    event,
    models_shape,
    read,
    refused,
    usage_shape,
)
from local.workloads.serving import LOG_FIELDS, arguments, entry, model_arguments, serve

FINGERPRINT = "llama.cpp-gemma-3-270m-q4_k_m"
OWNER = "google (Gemma terms of use); base model with few-shot prompts"
DEFAULT_TOKENS = 160
EVENT_STREAM = "text/event-stream"


class LlamaServer:
    """The endpoints of one loaded model."""

    def __init__(self, engine: LlamaEngine, *, names: Sequence[str]) -> None:
        self.engine = engine
        self.names = names
        self.metrics = ModelMetrics(names[0])
        self._created = int(time.time())

    def app(self) -> Starlette:
        routes = [
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
            Route("/v1/models", self._models),
            Route("/health", self._health),
            Route("/metrics", self._metrics),
        ]
        handlers = {RequestRefusedError: refused}
        return Starlette(routes=routes, exception_handlers=handlers, lifespan=self._lifespan)

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        warming = asyncio.create_task(self._warm())
        yield
        warming.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await warming
        await self.engine.close()

    async def _warm(self) -> None:
        example = [ChatMessage(role="user", content="Hello!")]
        with contextlib.suppress(EngineError):
            for prompt in (answer_from("?", [Passage("none", "none.", 1.0)]), chat(example)):
                await self.engine.warm(prompt)

    def _models(self, _: Request) -> Response:
        return JSONResponse(models_shape(self.names, owner=OWNER, created=self._created))

    def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _metrics(self, request: Request) -> Response:
        own = bytes(self.metrics.page(request).body).decode()
        return Response(own + await self.engine.metrics(), media_type=MEDIA_TYPE)

    async def _chat(self, request: Request) -> Response:
        began = time.perf_counter()
        asked = await read(request, ChatRequest)
        answer = _Answer(self, asked, request, began)
        try:
            plan = await make_plan(asked, self.engine)
            if asked.stream:
                return StreamingResponse(
                    answer.stream(plan),
                    media_type=EVENT_STREAM,
                    headers={"cache-control": "no-store"},
                )
            return JSONResponse(await answer.whole(plan))
        except EngineError as error:
            self.metrics.answered("error", seconds=time.perf_counter() - began)
            raise RequestRefusedError(503, f"llama.cpp: {error}", kind="server_error") from error


class _Answer:
    """One answer on its way out, in one piece or as a stream."""

    def __init__(
        self, server: LlamaServer, asked: ChatRequest, request: Request, began: float
    ) -> None:
        self._server = server
        self._asked = asked
        self._began = began
        self._fields = getattr(request.state, LOG_FIELDS, {})
        self._fields["model"] = server.names[0]
        self._shape = CompletionShape(asked.model or server.names[0], FINGERPRINT)

    def _pieces(self, prompt: Prompt) -> AsyncIterator[Piece]:
        limit = self._asked.max_completion_tokens or self._asked.max_tokens or DEFAULT_TOKENS
        asked_stop = self._asked.stop or ()
        stop = (asked_stop,) if isinstance(asked_stop, str) else tuple(asked_stop)
        full = Prompt(prompt.text, prompt.grammar, (*prompt.stop, *stop), prompt.tokens)
        temperature = self._asked.temperature or 0.0
        return self._server.engine.stream(full, temperature=temperature, tokens=limit)

    def _ended(self, finish: str, plan: Plan, last: Piece) -> dict[str, int]:
        prompt = plan.prompt_tokens + last.prompt_tokens
        completion = plan.completion_tokens + last.completion_tokens
        seconds = time.perf_counter() - self._began
        self._server.metrics.answered(finish, seconds=seconds, prompt=prompt, completion=completion)
        self._fields |= {"finish": finish, "prompt_tokens": prompt, "completion_tokens": completion}
        return usage_shape(prompt, completion)

    def _first(self) -> None:
        self._server.metrics.first_token(time.perf_counter() - self._began)

    async def whole(self, plan: Plan) -> dict[str, object]:
        if plan.call or plan.prompt is None:
            calls = [plan.call] if plan.call else []
            usage = self._ended("tool_calls", plan, Piece(""))
            return self._shape.whole(None, calls, "tool_calls", usage)
        pieces = [piece async for piece in self._pieces(plan.prompt)]
        text = "".join(piece.text for piece in pieces).strip()
        usage = self._ended(pieces[-1].finish, plan, pieces[-1])
        return self._shape.whole(text, [], pieces[-1].finish, usage)

    async def stream(self, plan: Plan) -> AsyncIterator[bytes]:
        yield self._shape.chunk({"role": "assistant", "content": ""})
        last, finish = Piece(""), "tool_calls"
        if plan.call:
            self._first()
            for chunk in self._shape.call_chunks([plan.call]):
                yield chunk
        elif plan.prompt:
            begun = False
            try:
                async for last in self._pieces(plan.prompt):
                    text = last.text if begun else last.text.lstrip()
                    if text and not begun:
                        begun = True
                        self._first()
                    if text:
                        yield self._shape.chunk({"content": text})
            except EngineError as error:
                yield event({"error": {"message": f"llama.cpp: {error}", "type": "server_error"}})
                return
            finish = last.finish
        usage = self._ended(finish, plan, last)
        yield self._shape.chunk({}, finish)
        if self._asked.stream_options and self._asked.stream_options.include_usage:
            yield self._shape.usage_chunk(usage)
        yield DONE


def main() -> None:
    parser = arguments("llama_server", "Serve Gemma 3 270M on the CPU.")
    model_arguments(parser, gguf_model.NAME)
    parser.add_argument("--context-tokens", type=int, default=4096, help="shared by all requests")
    options = parser.parse_args()
    if options.model != gguf_model.NAME:
        raise UserError(f"--model {options.model!r}; this program serves {gguf_model.NAME} only")
    file = gguf_model.fetch(Cache.default())
    began = time.perf_counter()
    engine = LlamaEngine(file, host=options.host, context_tokens=options.context_tokens)
    log("loaded", file=str(file), seconds=round(time.perf_counter() - began, 2))
    server = LlamaServer(engine, names=options.served_name or [gguf_model.NAME])
    serve(server.app(), name="llama_server", host=options.host, port=options.port)


if __name__ == "__main__":
    entry(main)
