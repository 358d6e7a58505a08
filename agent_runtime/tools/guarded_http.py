"""An HTTP client that connects only to addresses which the guard has checked."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

import httpx

from agent_runtime.tools.address_guard import AddressGuard, PinnedAddress
from agent_runtime.wire import Answer, LeanTransport, Peer, head_of

CONNECT_SECONDS = 5.0
MAX_POOLS = 64


Given = TypeVar("Given", bound="Redirecting")


class Redirecting(Protocol):
    """What an answer says of the next address."""

    @property
    def is_redirect(self) -> bool: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    async def aclose(self) -> None: ...


class Readable(Protocol):
    """A body in pieces."""

    def aiter_bytes(self) -> AsyncIterator[bytes]: ...


class GuardedTransport(httpx.AsyncBaseTransport):
    """Checks every request, those after a redirect too, and connects to the checked address.

    Each host has its own connections: they are kept by address, and a connection that proved to be
    one host must not carry requests for another one at the same address.
    """

    def __init__(self, guard: AddressGuard) -> None:
        self._guard = guard
        self._pools: dict[tuple[str, int], LeanTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        pinned = await self._guard.check(str(request.url))
        headers = request.headers.copy()
        headers["host"] = request.url.netloc.decode("ascii")
        moved = httpx.Request(
            request.method,
            request.url.copy_with(host=pinned.address),
            headers=headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": pinned.host},
        )
        return await (await self._pool(pinned)).handle_async_request(moved)

    async def exchange(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], content: bytes
    ) -> Answer:
        """The same without httpx's own work on a request. Raises its TransportErrors."""
        pinned = await self._guard.check(str(url))
        told = [
            (b"host", url.netloc),
            *((name.encode("ascii"), value.encode()) for name, value in headers.items()),
        ]
        if content or method not in ("GET", "HEAD", "DELETE"):
            told.append((b"content-length", b"%d" % len(content)))
        message = head_of(method, url.raw_path, told) + content
        peer = Peer(url.scheme == "https", pinned.address, pinned.port, pinned.host)
        return await (await self._pool(pinned)).exchange(peer, message, CONNECT_SECONDS)

    async def _pool(self, pinned: PinnedAddress) -> LeanTransport:
        key = (pinned.host, pinned.port)
        pool = self._pools.pop(key, None) or LeanTransport()
        self._pools[key] = pool
        if len(self._pools) > MAX_POOLS:
            await self._pools.pop(next(iter(self._pools))).aclose()
        return pool

    async def aclose(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()
        self._pools.clear()


class GuardedClient(httpx.AsyncClient):
    """The client of all tools; proxies from the environment would go around the guard."""

    def __init__(self, guard: AddressGuard) -> None:
        self._guarded = GuardedTransport(guard)
        super().__init__(
            transport=self._guarded,
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
            trust_env=False,
            follow_redirects=False,
        )

    async def exchange(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], content: bytes = b""
    ) -> Answer:
        """One request without cookies, redirects and httpx's defaults; the answer must be closed.

        Raises ForbiddenAddressError and httpx's TransportErrors.
        """
        return await self._guarded.exchange(method, url, headers, content)


def tool_http_client(guard: AddressGuard) -> GuardedClient:
    return GuardedClient(guard)


async def limited(response: Readable, limit: int) -> tuple[bytes, bool]:
    """The body up to `limit` bytes, and whether that was all of it."""
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > limit:
            return bytes(body[:limit]), False
    return bytes(body), True


async def following(
    send: Callable[[httpx.URL], Awaitable[Given]], url: httpx.URL, hops: int
) -> Given:
    """The answer after at most `hops` redirects; `send` is given each address in turn."""
    while True:
        response = await send(url)
        target = response.headers.get("location", "")
        if not (response.is_redirect and target and hops > 0):
            return response
        hops -= 1
        await response.aclose()
        url = url.join(target)


def same_host(one: httpx.URL, other: httpx.URL) -> bool:
    """Whether a credential for `other` may be sent to `one`."""
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)
