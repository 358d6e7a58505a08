"""Words for a reader who is in no hurry come together, and none is lost or late at the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from agent_runtime.wire import Answer, LeanTransport, Peer, head_of

pytestmark = pytest.mark.unit

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
NEVER = 3600.0
"""Seconds of gathering that no test could wait for."""


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Speaker:
    """A server whose answer a test speaks."""

    def __init__(self) -> None:
        self.writer: asyncio.Future[asyncio.StreamWriter] = asyncio.Future()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.writer.set_result(writer)

    async def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            (await self.writer).write(piece)
            await asyncio.sleep(0.01)  # each is a packet of its own


@asynccontextmanager
async def answer() -> AsyncIterator[tuple[Speaker, Answer]]:
    speaker = Speaker()
    server = await asyncio.start_server(speaker.handle, "127.0.0.1", 0)
    port, transport = server.sockets[0].getsockname()[1], LeanTransport()
    async with server, asyncio.timeout(20):
        request = head_of("GET", b"/", [(b"host", b"h")])
        speaking = asyncio.create_task(speaker.say(HEAD, chunk(b"first")))
        peer = Peer.of(httpx.URL(f"http://127.0.0.1:{port}/"))
        found = await transport.exchange(peer, request, 5)
        await speaking
        yield speaker, found
        await found.aclose()
        (await speaker.writer).close()
        await (await speaker.writer).wait_closed()


async def test_what_comes_after_the_first_piece_comes_together_at_the_end() -> None:
    async with answer() as (speaker, found):
        pieces = found.aiter_bytes()
        assert await anext(pieces) == b"first"
        found.gather(NEVER)
        rest = asyncio.ensure_future(anext(pieces))
        await speaker.say(chunk(b" a"), chunk(b" b"))
        assert not rest.done()
        await speaker.say(chunk(b" c"), b"0\r\n\r\n")
        assert await rest == b" a b c"
        assert [piece async for piece in pieces] == []


async def test_pieces_come_on_when_their_time_is_over() -> None:
    async with answer() as (speaker, found):
        pieces = found.aiter_bytes()
        await anext(pieces)
        found.gather(0.02)
        for word in (b" a", b" b", b" c"):
            await speaker.say(chunk(word))
            assert await anext(pieces) == word


async def test_what_was_gathered_is_not_lost_with_a_connection_that_breaks() -> None:
    async with answer() as (speaker, found):
        pieces = found.aiter_bytes()
        await anext(pieces)
        found.gather(NEVER)
        await speaker.say(chunk(b" a"), chunk(b" b"))
        (await speaker.writer).close()
        assert await anext(pieces) == b" a b"
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(pieces)


async def test_an_answer_that_had_ended_already_is_read_to_its_end() -> None:
    async with answer() as (speaker, found):
        pieces = found.aiter_bytes()
        assert await anext(pieces) == b"first"
        await speaker.say(chunk(b" a"), b"0\r\n\r\n")
        found.gather(NEVER)
        assert [piece async for piece in pieces] == [b" a"]
