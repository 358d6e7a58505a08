"""The way of the most frequent request past the framework's layers to its handler."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agent_runtime.api.body import BodyLimit
from agent_runtime.api.error_answer import told

Handler = Callable[[Request], Awaitable[Response]]

_log = logging.getLogger(__name__)


class DirectApp(FastAPI):
    """FastAPI with handlers that are called at once; their routes stand in the document too.

    A chat completion passes eleven ASGI layers otherwise, each word of its answer five of them.
    """

    def __init__(self, direct: dict[str, Handler], *, max_bytes: int, **settings: Any) -> None:
        """`direct`: by the path of a POST request."""
        super().__init__(**settings)
        self._direct = {
            path: BodyLimit(_Direct(handler), max_bytes=max_bytes)
            for path, handler in direct.items()
        }
        self.add_middleware(BodyLimit, max_bytes=max_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            direct = self._direct.get(scope["path"])
            if direct:
                await direct(scope, receive, send)
                return
        await super().__call__(scope, receive, send)


class _Direct:
    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._handler(request)
        except Exception as error:  # noqa: BLE001 # whatever it is, the caller hears of it
            response = told(request, error)
            if response.status_code == 500:
                _log.exception("request failed")
        await response(scope, receive, send)
