"""A2A over JSON-RPC at `/`; the library is imported with the first call that needs it."""

import asyncio
import hashlib
import json
import logging
from email.utils import formatdate
from importlib import import_module
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from agent_runtime.api.agent_card import CARD_PATH, HITL, agent_card
from agent_runtime.api.documented import EVENT_STREAM
from agent_runtime.api.surface import Surface

_EXTENSIONS = "a2a-extensions"
_JSON = "application/json"
_SECONDS = 60
_LOUD = ("a2a.server.routes.jsonrpc_dispatcher", "a2a.compat.v0_3.jsonrpc_adapter")
_RPC = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["jsonrpc", "method"],
                    "properties": {
                        "jsonrpc": {"const": "2.0"},
                        "id": {"type": ["string", "integer", "null"]},
                        "method": {"type": "string"},
                        "params": {"type": "object"},
                    },
                }
            }
        },
    }
}


def router(surface: Surface) -> APIRouter:
    """The agent card and the JSON-RPC endpoint."""
    routes = APIRouter(tags=["a2a"])
    runtime = surface.runtime
    card = agent_card(
        runtime.document,
        runtime.tools,
        url=runtime.public_url,
        version=runtime.settings.version,
        auth=runtime.settings.auth,
    )
    text = json.dumps(card, ensure_ascii=False).encode()
    caching = {
        "cache-control": f"public, max-age={_SECONDS}",
        "etag": f'"{hashlib.sha256(text).hexdigest()[:32]}"',
        "last-modified": formatdate(usegmt=True),
    }
    dispatcher = _LazyDispatcher(surface)

    @routes.get(CARD_PATH, summary="What this agent can do", response_model=dict[str, Any])
    async def well_known_card(request: Request) -> Response:
        known = request.headers.get("if-none-match", "")
        if caching["etag"] in known or known.strip() == "*":
            return Response(status_code=304, headers=caching)
        return Response(text, media_type="application/json", headers=caching)

    @routes.post(
        "/",
        summary="A2A JSON-RPC, 1.0 and 0.3",
        openapi_extra=_RPC,
        responses={
            200: {"content": dict(EVENT_STREAM)},
            "default": {"description": "An error of the transport"},
        },
        response_model=dict[str, Any],
    )
    async def json_rpc(request: Request) -> Response:
        request.state.identity = await surface.caller(request)
        kind = request.headers.get("content-type", _JSON).partition(";")[0].strip().lower()
        if kind != _JSON and not kind.endswith("+json"):
            return _refused(-32005, f"a request is {_JSON}, not {kind[:80]!r}")
        if reason := _unreadable(await request.body()):
            return _refused(-32700, reason)
        handler = await dispatcher.ready()
        answer: Response = await handler.handle_requests(request)
        if HITL in request.headers.get(_EXTENSIONS, ""):
            answer.headers[_EXTENSIONS] = HITL
        return answer

    return routes


def _refused(code: int, message: str) -> Response:
    error = {"code": code, "message": message}
    return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error})


def _unreadable(body: bytes) -> str:
    """Why a body is no JSON that can be stored; empty: it is."""
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return f"not JSON: {error}"
    return ""


class _LazyDispatcher:
    """Imports the A2A library in a thread, once, so that other requests go on meanwhile."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface
        self._lock = asyncio.Lock()
        self._dispatcher: Any = None

    async def ready(self) -> Any:
        async with self._lock:
            if self._dispatcher is None:
                for name in _LOUD:  # it would log the trace of every malformed request
                    logging.getLogger(name).setLevel(logging.CRITICAL)
                module = await asyncio.to_thread(import_module, "agent_runtime.api.a2a_dispatch")
                self._dispatcher = module.dispatcher(self._surface)
        return self._dispatcher
