"""The HTTP client under httpx, against a server that sends exact bytes."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from agent_runtime.wire import LeanTransport, Peer, head_of

pytestmark = pytest.mark.unit

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
Answers = list[bytes]


class Raw:
    """Answers each request with the next bytes; `cut` closes the connection after them."""

    def __init__(self, answers: Answers, *, cut: bool) -> None:
        self._answers = list(answers)
        self._cut = cut
        self.connections = 0
        self.seen: list[bytes] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self._answers:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                self.seen.append(head + await reader.readexactly(int(length or 0)))
                for byte in (self._answers.pop(0),):
                    writer.write(byte[:7])
                    await writer.drain()
                    writer.write(byte[7:])
                if self._cut:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def server(
    *answers: bytes, cut: bool = False
) -> AsyncIterator[tuple[Raw, httpx.AsyncClient]]:
    raw = Raw(list(answers), cut=cut)
    listening = await asyncio.start_server(raw.handle, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    async with (
        listening,
        httpx.AsyncClient(transport=LeanTransport(), base_url=url) as client,
        asyncio.timeout(20),
    ):
        yield raw, client


async def test_a_connection_is_used_again_when_its_answer_was_read() -> None:
    async with server(OK, OK) as (raw, client):
        for _ in range(2):
            answer = await client.post("/x?y=1", json={"a": 1})
            assert (answer.status_code, answer.text) == (200, "ok")
    assert raw.connections == 1
    assert raw.seen[0].startswith(b"POST /x?y=1 HTTP/1.1\r\n")
    assert raw.seen[0].endswith(b'{"a":1}')


async def test_an_answer_left_in_the_middle_takes_its_connection_along() -> None:
    long = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok"
    async with server(long, OK) as (raw, client):
        async with client.stream("GET", "/") as answer:
            assert answer.status_code == 200
        assert (await client.get("/")).text == "ok"
    assert raw.connections == 2


@pytest.mark.parametrize(
    "framing",
    [
        b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"connection: close\r\n\r\nok",
        b"content-encoding: identity\r\ncontent-length: 2\r\n\r\nok",
    ],
)
async def test_bodies_end_where_their_framing_says(framing: bytes) -> None:
    cut = b"connection" in framing
    async with server(b"HTTP/1.1 200 OK\r\n" + framing, cut=cut) as (_, client):
        assert (await client.get("/")).text == "ok"


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
        b"no such protocol\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000,
    ],
)
async def test_a_broken_answer_is_a_transport_error(broken: bytes) -> None:
    async with server(broken, cut=True) as (_, client):
        with pytest.raises(httpx.TransportError):
            await client.get("/")


async def test_nobody_listening_is_a_connect_error(
    unused_tcp_port_factory: Callable[[], int],
) -> None:
    async with httpx.AsyncClient(transport=LeanTransport()) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{unused_tcp_port_factory()}/")


async def test_a_slow_reader_is_not_flooded() -> None:
    size = 3_000_000
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size
    async with server(head + b"x" * size) as (_, client):
        read = 0
        async with client.stream("GET", "/") as answer:
            async for piece in answer.aiter_bytes():
                assert len(piece) < 1_000_000
                read += len(piece)
                await asyncio.sleep(0)
    assert read == size


async def test_an_answer_that_nobody_asked_to_compress_is_read_all_the_same() -> None:
    packed = gzip.compress(b"ok")
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(packed)
    async with server(head + packed, OK) as (raw, client):
        transport = LeanTransport()
        for _ in range(2):
            request = head_of("GET", b"/", [(b"host", b"h")])
            answer = await transport.exchange(Peer.of(client.base_url), request, 5)
            assert b"".join([piece async for piece in answer.aiter_bytes()]) == b"ok"
            await answer.aclose()
        await transport.aclose()
    assert raw.connections == 1


@pytest.mark.parametrize("value", [b"a\r\nx-tenant-id: other", b"a\nb", b"a\0"])
def test_a_header_cannot_become_two(value: bytes) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        head_of("GET", b"/", [(b"x-model-id", value)])
