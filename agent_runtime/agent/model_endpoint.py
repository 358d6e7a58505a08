"""The HTTP side of a model call: one request, and its answer in pieces."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson

from agent_runtime.agent.completion import GarbledStreamError
from agent_runtime.agent.model_failure import ModelFailureError, from_status
from agent_runtime.secret_file import SecretFile
from agent_runtime.settings import Settings
from agent_runtime.telemetry.tracing import trace_headers
from agent_runtime.wire import Answer, LeanTransport, Peer, head_of

CONNECT_SECONDS = 5.0
MAX_EVENT_BYTES = 1_000_000
MAX_BODY_BYTES = 32 * 1024 * 1024
"""Largest answer that is read at once: 1,000 vectors of 4,096 numbers are below it."""
_MAX_ERROR_BYTES = 64 * 1024
_DONE = b"[DONE]"
_ALWAYS = [
    (b"accept", b"*/*"),
    (b"accept-encoding", b"identity"),
    (b"user-agent", b"agent-runtime"),
    (b"content-type", b"application/json"),
]


class ModelEndpoint:
    """An OpenAI-compatible API; the model is named in the body and in `x-model-id`."""

    def __init__(self, settings: Settings) -> None:
        self.url = settings.model_base_url.rstrip("/")
        self._key = SecretFile(settings.model_api_key_file) if settings.model_api_key_file else None
        self._transport = LeanTransport()
        address = httpx.URL(self.url)
        self._peer = Peer.of(address)
        self._path = address.raw_path.rstrip(b"/")
        self._headers = [(b"host", address.netloc), *_ALWAYS]

    async def close(self) -> None:
        await self._transport.aclose()

    @asynccontextmanager
    async def answer(self, path: str, model: str, body: dict[str, Any]) -> AsyncIterator[Answer]:
        """An answer with status 200, its body unread. Raises ModelFailureError."""
        response: Answer | None = None
        try:
            request = self._request(path, model, body)
            response = await self._transport.exchange(self._peer, request, CONNECT_SECONDS)
            if response.status_code != 200:
                said = await _read(response, _MAX_ERROR_BYTES)
                status, again = response.status_code, response.headers.get("retry-after")
                raise from_status(status, again, said.decode("utf-8", "replace"))
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

    def _request(self, path: str, model: str, body: dict[str, Any]) -> bytes:
        content = orjson.dumps(body)
        named = {"x-model-id": model, **trace_headers()}
        if self._key:
            named["authorization"] = f"Bearer {self._key.read()}"
        headers = [
            *self._headers,
            *((name.encode("ascii"), value.encode()) for name, value in named.items()),
            (b"content-length", b"%d" % len(content)),
        ]
        return head_of("POST", b"%b/%b" % (self._path, path.encode("ascii")), headers) + content


async def whole(response: Answer) -> object:
    """The JSON of an answer. Raises GarbledStreamError."""
    return _decoded(await _read(response, MAX_BODY_BYTES))


async def chunks(response: Answer) -> AsyncGenerator[object, None]:
    """The chunks of a streamed answer, or the one chunk of an answer that is not streamed.

    An empty object is the last one of a stream that says that it is complete. Raises
    GarbledStreamError.
    """
    if "text/event-stream" not in response.headers.get("content-type", ""):
        yield await whole(response)
        return
    kept = b""
    async for piece in response.aiter_bytes():
        *complete, kept = (kept + piece).split(b"\n")
        for line in complete:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == _DONE:
                yield {}
                return
            yield _decoded(data)
        if len(kept) > MAX_EVENT_BYTES:
            raise GarbledStreamError("an event is too long")
    if kept.startswith(b"data:"):
        data = kept[5:].strip()
        yield {} if data == _DONE else _decoded(data)


async def _read(response: Answer, limit: int) -> bytes:
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
    """Refuses half a surrogate pair, which no store takes; reads NaN, although it is not JSON."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        value = json.loads(text)
        orjson.dumps(value)
    except (ValueError, TypeError, RecursionError):
        raise GarbledStreamError("not JSON") from None
    return value
