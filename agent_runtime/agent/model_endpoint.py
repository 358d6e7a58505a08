"""The HTTP side of a model call: one request, and its answer in pieces."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from agent_runtime.agent.completion import GarbledStreamError
from agent_runtime.agent.model_failure import ModelFailureError, from_status
from agent_runtime.secret_file import SecretFile
from agent_runtime.settings import Settings
from agent_runtime.telemetry.tracing import trace_headers
from agent_runtime.wire import LeanTransport

CONNECT_SECONDS = 5.0
MAX_EVENT_BYTES = 1_000_000
MAX_BODY_BYTES = 32 * 1024 * 1024
"""Largest answer that is read at once: 1,000 vectors of 4,096 numbers are below it."""
_MAX_ERROR_BYTES = 64 * 1024
_DONE = b"[DONE]"


class ModelEndpoint:
    """An OpenAI-compatible API; the model is named in the body and in `x-model-id`."""

    def __init__(self, settings: Settings) -> None:
        self.url = settings.model_base_url.rstrip("/")
        self._key = SecretFile(settings.model_api_key_file) if settings.model_api_key_file else None
        self._http = httpx.AsyncClient(
            base_url=self.url + "/",
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
            transport=LeanTransport(),
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    @asynccontextmanager
    async def answer(
        self, path: str, model: str, body: dict[str, Any]
    ) -> AsyncIterator[httpx.Response]:
        """An answer with status 200, its body unread. Raises ModelFailureError."""
        headers = {"x-model-id": model, **trace_headers()}
        if self._key:
            headers["authorization"] = f"Bearer {self._key.read()}"
        request = self._http.build_request("POST", path, json=body, headers=headers)
        response: httpx.Response | None = None
        try:
            response = await self._http.send(request, stream=True)
            if response.status_code != 200:
                said = await _read(response, _MAX_ERROR_BYTES)
                raise from_status(response, said.decode("utf-8", "replace"))
            yield response
        except httpx.TransportError as error:
            raise ModelFailureError(f"connection failed ({type(error).__name__})") from None
        except httpx.DecodingError:
            raise ModelFailureError("unreadable answer: its compression is broken") from None
        except GarbledStreamError as error:
            raise ModelFailureError(f"unreadable answer: {error}") from None
        finally:
            if response is not None:
                await response.aclose()


async def whole(response: httpx.Response) -> object:
    """The JSON of an answer. Raises GarbledStreamError."""
    return _decoded(await _read(response, MAX_BODY_BYTES))


async def chunks(response: httpx.Response) -> AsyncGenerator[object, None]:
    """The chunks of a streamed answer, or the one chunk of an answer that is not streamed.

    An empty object is the last one of a stream that says that it is complete. Raises
    GarbledStreamError.
    """
    if "text/event-stream" not in response.headers.get("content-type", ""):
        yield await whole(response)
        return
    async for line in _lines(response):
        if not line.startswith(b"data:"):
            continue
        data = line[5:].strip()
        if data == _DONE:
            yield {}
            return
        yield _decoded(data)


async def _lines(response: httpx.Response) -> AsyncIterator[bytes]:
    """Lines without their ends; an endless one is an error, not a full memory."""
    kept = b""
    async for piece in response.aiter_bytes():
        *complete, kept = (kept + piece).split(b"\n")
        for line in complete:
            yield line
        if len(kept) > MAX_EVENT_BYTES:
            raise GarbledStreamError("an event is too long")
    if kept:
        yield kept


async def _read(response: httpx.Response, limit: int) -> bytes:
    """The body; of an error only its beginning. Raises GarbledStreamError."""
    read = bytearray()
    async for piece in response.aiter_bytes():
        read += piece
        if len(read) > limit:
            if response.status_code == 200:
                raise GarbledStreamError(f"longer than {limit} bytes")
            break
    return bytes(read[:limit])


def _decoded(text: bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise GarbledStreamError("not JSON") from None
