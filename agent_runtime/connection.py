"""One connection of the lean transport: HTTP/1.1 parsed in C, one answer at a time."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import httptools
import httpx

from agent_runtime.gathering import Gathering

MAX_HEADER_BYTES = 65_536
_BUFFER_BYTES = 262_144


class Connection(asyncio.Protocol):
    """One connection, and the answer that comes in over it."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._lost = False
        self.gathering = Gathering(self._tell)
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._pieces: deque[bytes] = deque()
        self._buffered = self._head_bytes = 0
        self._told: asyncio.Future[None] | None = None
        self._error: httpx.TransportError | None = None
        self._in_body = self._done = self._paused = self._keep = False
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []

    @property
    def reusable(self) -> bool:
        return self._done and not self._lost and not self._transport.is_closing() and self._keep

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    async def send(self, data: bytes) -> None:
        """Send a request; returns when the answer's head is here."""
        self._begin()
        self._transport.write(data)
        while not self._in_body:
            if self._error:
                raise self._error
            if self._lost:
                raise httpx.RemoteProtocolError("the server closed the connection")
            await self._more()

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        while True:
            if self._pieces and (self._final or not self.gathering.holds):
                data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
                self._pieces.clear()
                self._buffered = 0
                if self._paused:
                    self._paused = False
                    self._transport.resume_reading()
                yield data
                self.gathering.taken()
            elif self._done:
                return
            elif self._error:
                raise self._error
            elif self._lost:
                raise httpx.RemoteProtocolError("the answer broke off")
            else:
                await self._more()

    @property
    def _final(self) -> bool:
        """Whether waiting brings nothing more."""
        return bool(self._done or self._error or self._lost or self._paused)

    async def _more(self) -> None:
        self._told = asyncio.get_running_loop().create_future()
        if self._pieces:
            self.gathering.held()
        await self._told

    def _tell(self) -> None:
        if self._final:
            self.gathering.end()
        elif self._pieces and self.gathering.holds:
            self.gathering.held()
            return
        if self._told and not self._told.done():
            self._told.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._done:
            self.close()  # nobody asked: whatever it is, it belongs to no answer
            return
        try:
            if not self._in_body:
                self._head_bytes += len(data)
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._error = httpx.RemoteProtocolError(str(error))
        if not self._in_body and self._head_bytes > MAX_HEADER_BYTES:
            self._error = httpx.RemoteProtocolError("the head of the answer is too long")
        if self._error:
            self.close()
        if self._buffered > _BUFFER_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        if exc and not self._done:
            self._error = httpx.ReadError(str(exc))
        elif self._in_body and not self._framed():
            self._done = True  # such a body ends with its connection
        self._tell()

    def _framed(self) -> bool:
        names = {name.lower() for name, _ in self.headers}
        return b"content-length" in names or b"transfer-encoding" in names

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self.headers = []
            return
        self.status = status
        self._in_body = True

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)
        self._buffered += len(body)

    def on_message_complete(self) -> None:
        self._done = self._in_body
        self._keep = bool(self._parser.should_keep_alive())
