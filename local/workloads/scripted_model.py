"""A stand-in for a model: an OpenAI-compatible server that answers from a script.

It computes nothing: texts and tool calls come from the script, token counts are word counts,
embeddings are hashed words. It says so in its model card and in `system_fingerprint`.
"""

import asyncio
import hashlib
import math
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from local.workloads.model_metrics import ModelMetrics
from local.workloads.model_script import ModelScript, Player, Reply, load_script
from local.workloads.openai_shapes import (
    DONE,
    Call,
    ChatRequest,
    CompletionShape,
    EmbeddingsRequest,
    RequestRefusedError,
    embeddings_shape,
    models_shape,
    read,
    refused,
    usage_shape,
)
from local.workloads.serving import LOG_FIELDS, arguments, entry, model_arguments, serve

FINGERPRINT = "scripted-stand-in"
OWNER = "stand-in (answers come from a script)"
DIMENSION = 384
REMEMBERED = 1_000


def words(text: str) -> list[str]:
    """The pieces in which a text is streamed and by which it is counted."""
    return re.findall(r"\s*\S+", text)


def hashed_words(text: str) -> list[float]:
    """A unit vector that texts with common words share: no model, the same on every machine."""
    vector = [0.0] * DIMENSION
    for word in re.findall(r"\w+", text.lower()) or [""]:
        digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
        vector[int.from_bytes(digest[:2]) % DIMENSION] += 1.0 if digest[2] & 1 else -1.0
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector] if length else [1.0, *vector[1:]]


class ScriptedModel:
    """One playing script as HTTP endpoints; `requests` keeps what was asked, newest last."""

    def __init__(self, script: ModelScript, *, names: Sequence[str] = ()) -> None:
        self.names = names or [script.model]
        self.name = self.names[0]
        self.player = Player(script)
        self.metrics = ModelMetrics(self.name)
        self.requests: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
        self._created = int(time.time())

    def app(self) -> Starlette:
        routes = [
            Route("/v1/chat/completions", self._chat, methods=["POST"]),
            Route("/v1/embeddings", self._embeddings, methods=["POST"]),
            Route("/v1/models", self._models),
            Route("/health", self._health),
            Route("/metrics", self.metrics.page),
        ]
        return Starlette(routes=routes, exception_handlers={RequestRefusedError: refused})

    def _models(self, _: Request) -> Response:
        return JSONResponse(models_shape(self.names, owner=OWNER, created=self._created))

    def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok", "stand_in": True})

    async def _embeddings(self, request: Request) -> Response:
        asked = await read(request, EmbeddingsRequest)
        vectors = [hashed_words(text) for text in asked.texts()]
        tokens = sum(len(words(text)) for text in asked.texts())
        model = asked.model or self.name
        return JSONResponse(embeddings_shape(asked, model, vectors, tokens=tokens))

    async def _chat(self, request: Request) -> Response:
        began = time.perf_counter()
        asked = await read(request, ChatRequest)
        self.requests.append(
            {"headers": dict(request.headers), "body": asked.model_dump(exclude_none=True)}
        )
        rule, reply = self.player.choose(asked)
        log_fields = getattr(request.state, LOG_FIELDS, {})
        log_fields |= {"model": self.name, "rule": rule.name, "stand_in": True}
        if reply.delay_seconds:
            await asyncio.sleep(reply.delay_seconds)
        if reply.error:
            self.metrics.answered("error", seconds=time.perf_counter() - began)
            raise RequestRefusedError(
                reply.error.status,
                reply.error.message,
                kind="rate_limit_error" if reply.error.status == 429 else "server_error",
                wait=reply.error.retry_after_seconds,
            )
        calls = [Call(call.name, call.arguments) for call in reply.tool_calls]
        shape = CompletionShape(asked.model or self.name, FINGERPRINT)
        prompt = sum(len(words(message.text)) for message in asked.messages)
        usage = usage_shape(prompt, len(words(reply.text or "")) + len(calls))
        finish = "tool_calls" if calls else "stop"
        self.metrics.answered(
            finish,
            seconds=time.perf_counter() - began,
            prompt=prompt,
            completion=usage["completion_tokens"],
        )
        log_fields |= {"finish": finish, "prompt_tokens": prompt}
        log_fields["completion_tokens"] = usage["completion_tokens"]
        if not asked.stream:
            return JSONResponse(shape.whole(reply.text, calls, finish, usage))
        wants_usage = asked.stream_options is not None and asked.stream_options.include_usage
        pieces = _pieces(shape, reply, calls, finish)
        if wants_usage:
            pieces.append(shape.usage_chunk(usage))
        return StreamingResponse(
            _paced([*pieces, DONE], reply),
            media_type="text/event-stream",
            headers={"cache-control": "no-store"},
        )


def _pieces(shape: CompletionShape, reply: Reply, calls: list[Call], finish: str) -> list[bytes]:
    texts = [shape.chunk({"content": piece}) for piece in words(reply.text or "")]
    first = shape.chunk({"role": "assistant", "content": ""})
    return [first, *texts, *shape.call_chunks(calls), shape.chunk({}, finish)]


async def _paced(pieces: list[bytes], reply: Reply) -> AsyncIterator[bytes]:
    for number, piece in enumerate(pieces):
        if reply.cut_after_chunks is not None and number >= reply.cut_after_chunks:
            raise ConnectionAbortedError("the script cuts the stream here")
        if number and reply.chunk_delay_seconds:
            await asyncio.sleep(reply.chunk_delay_seconds)
        yield piece


def main() -> None:
    parser = arguments("scripted_model", "Answer like a model, from a script: a stand-in.")
    parser.add_argument("--script", type=Path, required=True, help="a ModelScript in YAML")
    model_arguments(parser)
    options = parser.parse_args()
    script = load_script(options.script)
    model = ScriptedModel(script, names=options.served_name or [options.model or script.model])
    serve(
        model.app(),
        name="scripted_model",
        host=options.host,
        port=options.port,
        model=model.name,
        stand_in="answers come from a script, no model is running",
    )


if __name__ == "__main__":
    entry(main)
