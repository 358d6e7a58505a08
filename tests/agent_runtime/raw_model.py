"""A model server that sends exactly the bytes it is told to, over real HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.harness.http_server import serving

HANG = object()
"""Send nothing more, and keep the connection."""
CUT = object()
"""Break the connection here."""
EVENTS = "text/event-stream"
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Raw:
    """One answer: bytes, HANG and CUT in order."""

    pieces: Sequence[object] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": EVENTS})


def event(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice], **more}).encode() + b"\n\n"


def said(*words: str, finish: str | None = "stop") -> Raw:
    """A stream that says these words and ends as it should."""
    return Raw([*(event({"content": word}) for word in words), event({}, finish), DONE])


@dataclass
class RawModel:
    """Gives its answers in order, the last one again and again; `asked` are the requests."""

    url: str
    asked: list[dict[str, Any]]

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"


@contextmanager
def raw_model(*answers: Raw) -> Iterator[RawModel]:
    waiting = list(answers)
    asked: list[dict[str, Any]] = []
    hanging: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def pieces(answer: Raw) -> AsyncIterator[bytes]:
        for piece in answer.pieces:
            if piece is HANG:
                over = asyncio.Event()
                hanging.append((asyncio.get_running_loop(), over))
                await over.wait()
                return
            if piece is CUT:
                raise ConnectionAbortedError("cut on purpose")
            assert isinstance(piece, bytes)
            yield piece

    async def answer(request: Request) -> Response:
        body = await request.json()
        asked.append({"headers": dict(request.headers), "body": body, "path": request.url.path})
        chosen = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return StreamingResponse(pieces(chosen), chosen.status, chosen.headers)

    with serving(Starlette(routes=[Route("/v1/{rest:path}", answer, methods=["POST"])])) as url:
        try:
            yield RawModel(url, asked)
        finally:
            for loop, over in hanging:
                loop.call_soon_threadsafe(over.set)
