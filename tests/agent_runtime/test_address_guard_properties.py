"""The guard for every address and spelling there is, and against a name server that lies."""

import asyncio
import ipaddress
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from agent_runtime.tools.address_guard import AddressGuard, ForbiddenAddressError, PinnedAddress
from agent_runtime.tools.guarded_http import tool_http_client
from tests.harness.http_server import serving

pytestmark = pytest.mark.services

V4, V6 = st.ip_addresses(v=4), st.ip_addresses(v=6)
INNER = [
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "100.64.0.0/10")
]
METADATA = ipaddress.ip_network("169.254.0.0/16")


def checked(url: str, addresses: list[str], *allowed: str) -> PinnedAddress:
    async def resolve(host: str, port: int) -> list[str]:
        del host, port
        return addresses

    return asyncio.run(AddressGuard(allowed, resolver=resolve).check(url))


def embedded(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> st.SearchStrategy[str]:
    number = int(address)
    return st.sampled_from(
        [
            str(address),
            f"::ffff:{address}",
            str(ipaddress.IPv6Address((0x64FF9B << 96) | number)),
            str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80))),
        ]
    )


@given(st.sampled_from(INNER).flatmap(lambda each: st.ip_addresses(network=each)).flatmap(embedded))
@settings(max_examples=80, deadline=None)
def test_no_inner_address_is_reached_however_it_is_written(address: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        checked("https://evil.example/", [address])
    with pytest.raises(ForbiddenAddressError):
        checked("https://evil.example/", ["93.184.216.34", address])


@given(st.ip_addresses(network=METADATA).flatmap(embedded))
@settings(max_examples=60, deadline=None)
def test_metadata_is_not_reached_even_by_a_listed_host(address: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        checked("http://inside/", [address], "inside")


@given(V4 | V6)
@settings(max_examples=120, deadline=None)
def test_what_is_let_through_is_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    try:
        pinned = checked("https://some.example/", [str(address)])
    except ForbiddenAddressError:
        return
    found = ipaddress.ip_address(pinned.address)
    assert found.is_global
    assert not found.is_multicast


@example("<")
@example("\x1f")
@example("\x80")
@example("\\@b.example")
@given(st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_no_text_is_more_than_refused(text: str) -> None:
    for url in (text, f"https://{text}/", f"https://a.example{text}"):
        try:
            pinned = checked(url, ["93.184.216.34"])
        except ForbiddenAddressError:
            continue
        assert (pinned.scheme, pinned.port) == ("https", 443)
        assert httpx.URL(url).host.rstrip(".").lower() in (pinned.host, _ascii(pinned.host))


def _ascii(host: str) -> str:
    return str(httpx.URL(f"https://{host}").host)


@contextmanager
def name_server(*answers: str) -> Iterator[tuple[int, list[str]]]:
    """A real DNS server over UDP whose answer changes with each question (rebinding)."""
    left, asked = list(answers), []
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            question, peer = server.recvfrom(512)
            if not question:
                return
            address = left.pop(0) if len(left) > 1 else left[0]
            asked.append(address)
            body = question[12:]
            head = question[:2] + struct.pack(">HHHHH", 0x8180, 1, 1, 0, 0)
            record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + socket.inet_aton(address)
            server.sendto(head + body + record, peer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    port = server.getsockname()[1]
    try:
        yield port, asked
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", port))
        thread.join(5)
        server.close()


class Dns:
    """A resolver that asks one name server."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __call__(self, host: str, port: int) -> list[str]:
        del port
        return await asyncio.to_thread(self._ask, host)

    def _ask(self, host: str) -> list[str]:
        labels = b"".join(bytes([len(each)]) + each.encode() for each in host.split("."))
        question = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(5)
            client.sendto(question, ("127.0.0.1", self._port))
            return [socket.inet_ntoa(client.recv(512)[-4:])]


@contextmanager
def service(name: str, seen: list[str]) -> Iterator[str]:
    async def answer(request: Request) -> JSONResponse:
        seen.append(f"{name} {request.headers['host']}")
        return JSONResponse({"from": name})

    with serving(Starlette(routes=[Route("/{any:path}", answer)])) as url:
        yield url


async def test_a_name_that_is_rebound_between_check_and_connection_changes_nothing() -> None:
    """Checked at one address and connected to there: the second answer is never asked for."""
    seen: list[str] = []
    with service("good", seen) as url, name_server("127.0.0.1", "169.254.169.254") as (dns, asked):
        port = url.rpartition(":")[2]
        guard = AddressGuard(["tickets.svc"], resolver=Dns(dns))
        async with tool_http_client(guard) as http:
            answer = await http.get(f"http://tickets.svc:{port}/")
    assert answer.json() == {"from": "good"}
    assert asked == ["127.0.0.1"]
    assert seen == [f"good tickets.svc:{port}"]


async def test_a_name_that_turns_inward_later_is_refused_then() -> None:
    seen: list[str] = []
    with service("inside", seen) as url, name_server("127.0.0.1", "169.254.169.254") as (dns, _):
        port = url.rpartition(":")[2]
        guard = AddressGuard(["tickets.svc"], resolver=Dns(dns))
        async with tool_http_client(guard) as http:
            await http.get(f"http://tickets.svc:{port}/")
            with pytest.raises(ForbiddenAddressError, match="never called"):
                await http.get(f"http://tickets.svc:{port}/")
    assert len(seen) == 1


async def test_a_host_listed_with_a_port_is_reached_at_that_port_alone() -> None:
    seen: list[str] = []
    with service("one", seen) as one, service("two", seen) as two:
        listed = one.removeprefix("http://")
        async with tool_http_client(AddressGuard([listed])) as http:
            assert (await http.get(f"{one}/")).status_code == 200
            with pytest.raises(ForbiddenAddressError):
                await http.get(f"{two}/")
    assert len(seen) == 1
