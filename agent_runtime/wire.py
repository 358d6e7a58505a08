"""HTTP/1.1 parsed in C, under httpx or without it: calls to models and tools go straight here.

Connections are kept for a few seconds and never shared by two requests at once. Proxies, HTTP/2,
cookies and timeouts other than that of connecting are left out: callers set their own.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

import httpx

from agent_runtime.connection import Connection

IDLE_SECONDS = 4.0
"""Less than what common servers allow (5 s), so that none closes a connection just being used."""
MAX_IDLE = 128

_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Peer:
    """Whom to connect to; `name` is whose certificate it must show."""

    secure: bool
    host: str
    port: int
    name: str

    @classmethod
    def of(cls, url: httpx.URL, name: str = "") -> "Peer":
        secure = url.scheme == "https"
        return cls(secure, url.host, url.port or (443 if secure else 80), name or url.host)


class LeanTransport(httpx.AsyncBaseTransport):
    """Raises httpx's TransportErrors."""

    def __init__(self) -> None:
        self._idle: dict[Peer, deque[tuple[float, Connection]]] = {}
        self._tls: ssl.SSLContext | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        peer = Peer.of(request.url, str(request.extensions.get("sni_hostname") or ""))
        head = head_of(request.method, request.url.raw_path, request.headers.raw)
        limit = request.extensions.get("timeout", {}).get("connect")
        connection = await self._sent(peer, head + await request.aread(), limit)
        return httpx.Response(
            connection.status,
            headers=connection.headers,
            stream=_Body(self, peer, connection),
            extensions={"http_version": b"HTTP/1.1"},
            request=request,
        )

    async def exchange(self, peer: Peer, message: bytes, connect_seconds: float) -> "Answer":
        """Send a whole request; the answer once its head is here. It must be closed."""
        connection = await self._sent(peer, message, connect_seconds)
        return Answer(connection, _Body(self, peer, connection))

    async def _sent(self, peer: Peer, message: bytes, limit: float | None) -> "Connection":
        connection = self._kept(peer) or await self._opened(peer, limit)
        try:
            await connection.send(message)
        except BaseException:
            connection.close()
            raise
        return connection

    async def aclose(self) -> None:
        for kept in self._idle.values():
            for _, connection in kept:
                connection.close()
        self._idle.clear()

    def give_back(self, key: Peer, connection: "Connection") -> None:
        """Keep a connection whose answer was read to its end."""
        kept = self._idle.setdefault(key, deque())
        if not connection.reusable or len(kept) >= MAX_IDLE:
            connection.close()
            return
        kept.append((asyncio.get_running_loop().time(), connection))

    def _kept(self, key: Peer) -> "Connection | None":
        kept = self._idle.get(key)
        oldest = asyncio.get_running_loop().time() - IDLE_SECONDS
        while kept and kept[0][0] < oldest:
            kept.popleft()[1].close()
        while kept:
            connection = kept.pop()[1]
            if connection.reusable:
                return connection
            connection.close()
        return None

    async def _opened(self, peer: Peer, limit: float | None) -> "Connection":
        if peer.secure and self._tls is None:
            self._tls = httpx.create_ssl_context(trust_env=False)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(limit):
                _, connection = await loop.create_connection(
                    Connection,
                    peer.host,
                    peer.port,
                    ssl=self._tls if peer.secure else None,
                    server_hostname=peer.name if peer.secure else None,
                )
        except TimeoutError:
            raise httpx.ConnectTimeout("") from None
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error
        return connection


class _Body(httpx.AsyncByteStream):
    """Gives the connection back once it is read to its end; closes it where it is not."""

    def __init__(self, transport: LeanTransport, peer: Peer, connection: Connection) -> None:
        self._transport = transport
        self._peer = peer
        self._connection: Connection | None = connection

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._connection:
            async for piece in self._connection.pieces():
                yield piece

    async def aclose(self) -> None:
        if self._connection:
            self._transport.give_back(self._peer, self._connection)
            self._connection = None


class Answer:
    """A status, headers by lower-case name, and a body that is read once, in httpx's words."""

    def __init__(self, connection: Connection, body: _Body) -> None:
        self.status_code = connection.status
        self.headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in connection.headers
        }
        self._connection = connection
        self._body = body

    @property
    def is_redirect(self) -> bool:
        return self.status_code in _REDIRECTS and "location" in self.headers

    def gather(self, seconds: float) -> None:
        """Of what still comes all of as long is one piece, as the reader is in no hurry."""
        self._connection.gathering.begin(seconds)

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The body as it comes, decompressed. Raises httpx's TransportErrors, DecodingError."""
        if self.headers.get("content-encoding", "identity") == "identity":
            return self._connection.pieces()
        # nobody asked for it, but some servers know better
        headers = self._connection.headers
        return httpx.Response(self.status_code, headers=headers, stream=self._body).aiter_bytes()

    async def aclose(self) -> None:
        await self._body.aclose()


def head_of(method: str, path: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A request's head. Raises LocalProtocolError where a header would become two."""
    lines = [b"%b %b HTTP/1.1\r\n" % (method.encode("ascii"), path)]
    for name, value in headers:
        if b"\n" in value or b"\r" in value or b"\0" in value:
            raise httpx.LocalProtocolError(
                f"the header {name.decode('ascii', 'replace')} is broken"
            )
        lines.append(b"%b: %b\r\n" % (name, value))
    return b"".join([*lines, b"\r\n"])
