"""Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import orjson
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

KEEP_ALIVE_SECONDS = 15.0
"""Silence that proxies on the way still bear."""
KEEP_ALIVE = ": still working\n\n"


def frame(data: Any, *, event: str | None = None, event_id: str | None = None) -> str:
    """One event; JSON has no line breaks of its own, so that its data is one line."""
    head = f"id: {event_id}\n" if event_id else ""
    named = f"event: {event}\n" if event else ""
    return f"{head}{named}data: {orjson.dumps(data).decode()}\n\n"


class EventStream(StreamingResponse):
    """Sends `frames` as they come; `close` is called however it ends, also before its first word.

    No proxy may keep or gather the frames.
    """

    def __init__(
        self,
        frames: AsyncIterator[str],
        headers: Mapping[str, str],
        close: Callable[[], Awaitable[None]],
    ) -> None:
        told = {"cache-control": "no-store", "x-accel-buffering": "no", **headers}
        super().__init__(frames, media_type="text/event-stream", headers=told)
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Like StreamingResponse, with one task beside this one in place of a group of two."""
        del scope
        here = asyncio.current_task()
        left = False

        async def watch() -> None:
            nonlocal left
            while (await receive())["type"] != "http.disconnect":
                pass
            left = True
            if here:
                here.cancel()

        watching = asyncio.create_task(watch())
        try:
            await self.stream_response(send)
        except asyncio.CancelledError:
            if not left or (here and here.uncancel()):
                raise
        finally:
            watching.cancel()
            await self._close()
