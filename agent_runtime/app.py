"""The HTTP application of one agent."""

import logging

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from agent_runtime.api import a2a, approvals, openai
from agent_runtime.api.body import BodyLimit
from agent_runtime.assembly import AgentRuntime
from agent_runtime.errors import RequestError

_log = logging.getLogger(__name__)


def build_app(runtime: AgentRuntime) -> FastAPI:
    """All surfaces of `runtime`; errors leave in OpenAI's shape."""
    app = FastAPI(
        title=runtime.name,
        description=runtime.document.spec.description or f"The agent {runtime.name}.",
        version="1",
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(openai.router(runtime))
    app.include_router(approvals.router(runtime))
    app.include_router(a2a.router(runtime))
    app.add_middleware(BodyLimit, max_bytes=runtime.settings.max_body_bytes)
    app.add_exception_handler(RequestError, _told)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)
    return app


async def _told(request: Request, error: Exception) -> JSONResponse:
    del request
    assert isinstance(error, RequestError)  # noqa: S101 # registered for this type only
    return JSONResponse(error.openai(), error.status, headers=error.headers())


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 # registered for this type only
    path = f"{request.method} {request.url.path}"
    known = {404: ("not_found", f"{path} does not exist"), 405: ("bad_method", f"not {path}")}
    code, text = known.get(error.status_code, ("http_error", str(error.detail)))
    told = RequestError(error.status_code, code, text)
    return JSONResponse(told.openai(), told.status, headers=error.headers)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    del request, error
    told = RequestError(500, "internal_error", "the agent failed; its log says why")
    return JSONResponse(told.openai(), told.status)
