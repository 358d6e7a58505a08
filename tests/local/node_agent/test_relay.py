"""The TCP relay, on real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from local.node_agent.relay import Address, Relay

pytestmark = pytest.mark.unit
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HOST = "127.0.0.1"


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def backend(handler: Handler) -> AsyncIterator[Address]:
    server = await asyncio.start_server(handler, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[:2]
    finally:
        server.close()


@asynccontextmanager
async def relaying(*backends: Address) -> AsyncIterator[Relay]:
    relay = Relay((HOST, free_port()))
    await relay.set_backends(backends)
    try:
        yield relay
    finally:
        relay.close()
        await asyncio.sleep(0)


def answering(name: bytes) -> Handler:
    """Reads until the client's end of stream, then answers: needs half-closed connections."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read()
        writer.write(name + b":" + data)
        writer.close()
        await writer.wait_closed()

    return handle


async def ask(address: Address, data: bytes = b"hello") -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(data)
    writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_backends_take_turns_and_half_closed_streams_work() -> None:
    async with (
        backend(answering(b"a")) as first,
        backend(answering(b"b")) as second,
        relaying(first, second) as relay,
    ):
        answers = [await ask(relay.address) for _ in range(4)]
    assert answers == [b"a:hello", b"b:hello", b"a:hello", b"b:hello"]


async def test_a_dead_backend_is_passed_over() -> None:
    async with backend(answering(b"a")) as alive, relaying((HOST, free_port()), alive) as relay:
        assert [await ask(relay.address) for _ in range(3)] == [b"a:hello"] * 3


async def test_without_backends_connecting_is_refused_and_with_them_allowed_again() -> None:
    async with backend(answering(b"a")) as target, relaying() as relay:
        with pytest.raises(ConnectionRefusedError):
            await ask(relay.address)
        await relay.set_backends([target])
        assert await ask(relay.address) == b"a:hello"
        await relay.set_backends([])
        with pytest.raises(ConnectionRefusedError):
            await ask(relay.address)


async def test_a_running_stream_outlives_its_listener() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            writer.write(data)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with backend(echo) as target, relaying(target) as relay:
        reader, writer = await asyncio.open_connection(*relay.address)
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        await relay.set_backends([])
        writer.write(b"two")
        assert await reader.readexactly(3) == b"two"
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_a_slow_reader_gets_everything_without_it_piling_up_in_the_relay() -> None:
    size = 32 * 1024 * 1024

    async def flood(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        block = b"x" * 65536
        for _ in range(size // len(block)):
            writer.write(block)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with backend(flood) as target, relaying(target) as relay:
        reader, writer = await asyncio.open_connection(*relay.address)
        received = 0
        while data := await reader.read(65536):
            received += len(data)
            assert all(side.buffered < 4 * 1024 * 1024 for side in relay.sides)
        writer.close()
        await writer.wait_closed()
    assert received == size


async def test_a_broken_backend_connection_is_not_passed_on_as_a_clean_end() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        import socket
        import struct

        await reader.read(1)
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with backend(reset) as target, relaying(target) as relay:
        reader, writer = await asyncio.open_connection(*relay.address)
        writer.write(b"x")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


def _reads_although_paused(self: Any, fd: int, callback: Any, *arguments: Any) -> None:
    # `_SelectorTransport._add_reader` as Python 3.11.2 has it
    if not self._closing:
        self._loop._add_reader(fd, callback, *arguments)


@pytest.mark.parametrize("size", [5, 1 << 20])
async def test_what_comes_before_a_backend_is_connected_is_not_lost(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    old = "asyncio.selector_events._SelectorTransport._add_reader"
    monkeypatch.setattr(old, _reads_although_paused)
    connect = Relay.connect

    async def late(self: Relay, client: Any) -> Any:
        await asyncio.sleep(0.2)
        return await connect(self, client)

    monkeypatch.setattr(Relay, "connect", late)
    data = b"x" * size
    async with backend(answering(b"a")) as target, relaying(target) as relay:
        assert await ask(relay.address, data) == b"a:" + data
