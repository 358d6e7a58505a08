"""An OpenAI-shaped HTTP backend that says who it is and remembers what it was asked."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.harness.http_server import serving

GATE_SECONDS = 30.0


@dataclass
class MarkerBackend:
    """`status`, `delay_seconds` and `gate` may be changed while it serves."""

    name: str
    status: int = 200
    delay_seconds: float = 0.0
    cut: bool = False
    """A stream breaks off after its first event."""
    gate: threading.Event = field(default_factory=threading.Event)
    """A stream sends its second event only when this is set."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    port: int = 0
    tokens: int | None = None
    """What each answer says it took; by default twelve."""
    spent: int = 0
    """The sum of `tokens` over all answers."""

    def app(self) -> Starlette:
        methods = ["GET", "POST"]
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=methods)])

    async def _answer(self, request: Request) -> Response:
        body = await request.body()
        self.requests.append(
            {"path": request.url.path, "headers": dict(request.headers), "body": body.decode()}
        )
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        if self.status != 200:
            return JSONResponse({"error": {"message": self.name}}, status_code=self.status)
        if self.tokens is not None:
            self.spent += self.tokens
        if _wants_stream(body):
            wanted = b'"include_usage":true' in body.replace(b" ", b"")
            return StreamingResponse(self._events(usage=wanted), media_type="text/event-stream")
        total = 12 if self.tokens is None else self.tokens
        usage = {"prompt_tokens": 5, "completion_tokens": total - 5, "total_tokens": total}
        return JSONResponse({"backend": self.name, "usage": usage})

    async def _events(self, *, usage: bool) -> AsyncIterator[bytes]:
        yield f"data: {json.dumps({'backend': self.name, 'part': 1})}\n\n".encode()
        if self.cut:
            raise ConnectionAbortedError(self.name)
        await asyncio.to_thread(self.gate.wait, GATE_SECONDS)
        if self.tokens is not None and usage:
            told = {"choices": [], "usage": {"total_tokens": self.tokens}}
            yield f"data: {json.dumps(told)}\n\n".encode()
        yield b"data: [DONE]\n\n"


def _wants_stream(body: bytes) -> bool:
    try:
        return bool(json.loads(body)["stream"])
    except (ValueError, KeyError, TypeError):
        return False


@contextmanager
def marker_backend(name: str, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[MarkerBackend]:
    """Serve one while the block runs, by default on a free port."""
    backend = MarkerBackend(name)
    with serving(backend.app(), host=host, port=port) as url:
        backend.port = urlsplit(url).port or 0
        try:
            yield backend
        finally:
            backend.gate.set()
