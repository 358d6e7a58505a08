"""An error in the words of the protocol that its caller speaks."""

import logging
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from agent_runtime.errors import PROBLEM, RequestError, invalid, unavailable, unexpected
from agent_runtime.memory.ports import MemoryUnavailableError

_OPENAI = ("/v1/chat", "/v1/responses", "/v1/models")
_OURS = ("/v1/tasks", "/v1/sessions", "/v1/approvals")

_log = logging.getLogger(__name__)


class Problem(BaseModel):
    """RFC 9457: what went wrong."""

    type: str
    title: str
    status: int
    detail: str
    """For people."""
    code: str
    """For programs; stays the same."""
    param: str | None = Field(default=None, exclude_if=lambda value: value is None)
    """The place of the mistake in the request."""


class OpenAIErrorBody(BaseModel):
    message: str
    type: str
    code: str
    param: str | None


class OpenAIError(BaseModel):
    """What went wrong, in OpenAI's form."""

    error: OpenAIErrorBody


def answered(request: Request, error: RequestError) -> JSONResponse:
    """JSON-RPC at `/`, OpenAI's form for its paths and unknown ones beside them, else a problem."""
    path = request.url.path
    if path == "/" and error.status not in (401, 403):
        told = {"jsonrpc": "2.0", "id": None, "error": json_rpc(error)}
        return JSONResponse(told, headers=error.headers())
    if path.startswith(_OPENAI) or (path.startswith("/v1/") and not path.startswith(_OURS)):
        return JSONResponse(error.openai(), error.status, headers=error.headers())
    return JSONResponse(error.problem(), error.status, headers=error.headers(), media_type=PROBLEM)


def json_rpc(error: RequestError) -> dict[str, Any]:
    """The JSON-RPC error object; codes of https://www.jsonrpc.org/specification."""
    code = -32603 if error.status >= 500 else -32600
    data = {"code": error.code, "status": error.status}
    if error.retry_after_seconds is not None:
        data["retryAfterSeconds"] = error.retry_after_seconds
    return {"code": code, "message": error.message, "data": data}


def mistake(error: ValidationError | RequestValidationError, *, skip: int = 0) -> RequestError:
    """The first mistake that validation found, and its place."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][skip:])
    text = str(first["msg"]).removeprefix("Value error, ")
    return invalid(f"{place}: {text}" if place else text, param=place or None)


def add_error_handlers(app: FastAPI) -> None:
    """Every error that leaves `app` is told in its caller's protocol; none is told as a trace."""

    async def handler(request: Request, error: Exception) -> JSONResponse:
        return told(request, error)

    for kind in (
        RequestError,
        MemoryUnavailableError,
        RequestValidationError,
        HTTPException,
        Exception,
    ):
        app.add_exception_handler(kind, handler)


def told(request: Request, error: Exception) -> JSONResponse:
    """The answer that an error is, in its caller's protocol."""
    if isinstance(error, RequestError):
        return answered(request, error)
    if isinstance(error, MemoryUnavailableError):
        down = unavailable(str(error), code="memory_unavailable")
        return answered(request, down)
    if isinstance(error, RequestValidationError):
        return answered(request, mistake(error, skip=1))
    if isinstance(error, HTTPException):
        found = answered(request, _http(request, error))
        found.headers.update(error.headers or {})
        return found
    return answered(request, unexpected())


def _http(request: Request, error: HTTPException) -> RequestError:
    path = f"{request.method} {request.url.path}"
    known = {404: ("not_found", f"{path} does not exist"), 405: ("bad_method", f"not {path}")}
    code, text = known.get(error.status_code, ("http_error", str(error.detail)))
    return RequestError(error.status_code, code, text)
