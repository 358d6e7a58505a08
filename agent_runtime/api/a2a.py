"""A2A over JSON-RPC at `/`; the library is imported with the first call that needs it."""

import asyncio
from importlib import import_module
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from agent_runtime.api.agent_card import CARD_PATH, agent_card
from agent_runtime.assembly import AgentRuntime


def router(runtime: AgentRuntime) -> APIRouter:
    """The agent card and the JSON-RPC endpoint."""
    routes = APIRouter(tags=["a2a"])
    card = agent_card(
        runtime.document,
        runtime.tools,
        url=runtime.public_url,
        version=runtime.settings.version,
    )
    dispatcher = _LazyDispatcher(runtime, card)

    @routes.get(CARD_PATH, summary="What this agent can do")
    async def well_known_card() -> Response:
        return JSONResponse(card, headers={"cache-control": "public, max-age=60"})

    @routes.post("/", summary="A2A JSON-RPC, 1.0 and 0.3")
    async def json_rpc(request: Request) -> Response:
        request.state.identity = await runtime.authenticator.identify(request.headers)
        await request.body()
        handler = await dispatcher.ready()
        answer: Response = await handler.handle_requests(request)
        return answer

    return routes


class _LazyDispatcher:
    """Imports the A2A library in a thread, once, so that other requests go on meanwhile."""

    def __init__(self, runtime: AgentRuntime, card: dict[str, Any]) -> None:
        self._runtime = runtime
        self._card = card
        self._lock = asyncio.Lock()
        self._dispatcher: Any = None

    async def ready(self) -> Any:
        async with self._lock:
            if self._dispatcher is None:
                module = await asyncio.to_thread(import_module, "agent_runtime.api.a2a_executor")
                self._dispatcher = module.dispatcher(self._runtime.engine, self._card)
        return self._dispatcher
