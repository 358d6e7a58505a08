"""A TCP relay: what comes in at one address goes out to one of several backends, and back."""

import asyncio
import contextlib
import itertools
import socket
import struct
from collections.abc import Sequence
from typing import cast

CONNECT_SECONDS = 5.0
Address = tuple[str, int]


class Relay:
    """Listens at `address` while there are backends; without any, connecting is refused."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.backends: tuple[Address, ...] = ()
        self._turn = itertools.count()
        self._server: asyncio.Server | None = None
        self.sides: set[_Side] = set()
        """The open connections, both halves of each stream."""

    @property
    def listening(self) -> bool:
        return self._server is not None

    async def set_backends(self, backends: Sequence[Address]) -> None:
        """New connections go to `backends` in turn; running ones go on. Raises OSError."""
        self.backends = tuple(backends)
        if self.backends and self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: _Side(self), *self.address)
        elif not self.backends:
            self.stop_listening()

    def stop_listening(self) -> None:
        """Refuse new connections; running ones drain."""
        if self._server:
            self._server.close()
            self._server = None

    def close(self) -> None:
        """Stop listening and cut what is open."""
        self.stop_listening()
        for side in list(self.sides):
            side.cut()

    def opened(self, side: "_Side") -> None:
        self.sides.add(side)

    def closed(self, side: "_Side") -> None:
        self.sides.discard(side)

    async def connect(self, client: "_Side") -> "_Side | None":
        """A connection to the next backend that accepts one."""
        loop = asyncio.get_running_loop()
        backends = self.backends
        first = next(self._turn)
        for step in range(len(backends)):
            target = backends[(first + step) % len(backends)]
            with contextlib.suppress(OSError, TimeoutError):
                _, side = await asyncio.wait_for(
                    loop.create_connection(lambda: _Side(self, client), *target), CONNECT_SECONDS
                )
                return side
        return None


class _Side(asyncio.Protocol):
    """One of the two connections of a relayed stream; `peer` is the other one."""

    def __init__(self, relay: Relay, peer: "_Side | None" = None) -> None:
        self._relay = relay
        self._peer = peer
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._ended = False
        self._early = b""
        """What came before there was a backend."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._relay.opened(self)
        if self._peer is None:
            # Nothing is read before there is somebody to give it to.
            self._transport.pause_reading()
            self._connecting = asyncio.get_running_loop().create_task(self._find_backend())

    async def _find_backend(self) -> None:
        self._peer = await self._relay.connect(self)
        if self._peer is None or self._transport is None:
            self.cut()
        elif self._transport.is_closing():
            self._peer.cut()
        else:
            self._hand_over()
            self._transport.resume_reading()

    def _hand_over(self) -> None:
        """Give the backend what came early."""
        if self._peer is None or self._peer._transport is None:
            return
        self._peer._transport.write(self._early)
        self._early = b""
        if self._ended and self._peer._transport.can_write_eof():
            self._peer._transport.write_eof()

    def data_received(self, data: bytes) -> None:
        if self._peer and self._peer._transport:
            self._peer._transport.write(data)
        elif self._connecting and not self._connecting.done():
            # Before Python 3.11.4 a pause in connection_made is forgotten; one pair is heeded.
            self._early += data
            if self._transport:
                self._transport.resume_reading()
                self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Pass the end of one direction on; the other one stays open."""
        self._ended = True
        peer = self._peer
        if peer is None and self._connecting and not self._connecting.done():
            return True
        if peer is None or peer._transport is None or self._transport is None:
            return False
        if not peer._transport.is_closing() and peer._transport.can_write_eof():
            peer._transport.write_eof()
        if peer._ended:
            self._transport.close()
            peer._transport.close()
        return True

    def pause_writing(self) -> None:
        if self._peer and self._peer._transport and not self._peer._transport.is_closing():
            self._peer._transport.pause_reading()

    def resume_writing(self) -> None:
        if self._peer and self._peer._transport and not self._peer._transport.is_closing():
            self._peer._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._relay.closed(self)
        self._transport = None
        if self._connecting:
            self._connecting.cancel()
        if self._peer and self._peer._transport:
            if exc is None:
                self._peer._transport.close()
            else:
                self._peer.cut()

    @property
    def buffered(self) -> int:
        """Bytes that wait to be sent here."""
        return self._transport.get_write_buffer_size() if self._transport else 0

    def cut(self) -> None:
        """Reset the connection: the other end learns that the stream is not complete."""
        if self._transport is None:
            return
        raw = self._transport.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
