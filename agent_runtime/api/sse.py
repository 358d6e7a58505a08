"""Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

KEEP_ALIVE_SECONDS = 15.0
"""Silence that proxies on the way still bear."""
KEEP_ALIVE = ": still working\n\n"


def frame(data: Any, *, event: str | None = None, event_id: str | None = None) -> str:
    """One event; JSON has no line breaks of its own, so that its data is one line."""
    head = f"id: {event_id}\n" if event_id else ""
    named = f"event: {event}\n" if event else ""
    return f"{head}{named}data: {json.dumps(data, ensure_ascii=False)}\n\n"


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
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._close()
