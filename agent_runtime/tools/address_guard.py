"""Where a tool may connect: a guard against requests forged through the agent (SSRF)."""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

RESOLVE_SECONDS = 5.0
SCHEMES = ("http", "https", "grpc", "grpcs")

_PLAIN = re.compile(r"[\x21-\x5b\x5d-\x7e]+")
_HOST = re.compile(r"[a-z0-9._-]{1,253}|[0-9a-f:.]{2,45}")
"""Where two readers of URLs could differ about the host, there is nothing to guard."""

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[list[str]]]

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_METADATA = tuple(
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16",  # AWS, Google and Azure machines; Pod identity and task credentials
        "fd00:ec2::/32",  # the same services of AWS over IPv6
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure's wire server, a public address
    )
)


class ForbiddenAddressError(Exception):
    """A URL that a tool may not call; the message says why."""


@dataclass(frozen=True)
class PinnedAddress:
    """A host whose address was checked; connect to `address`, whatever DNS says later."""

    host: str
    port: int
    scheme: str
    address: str


class AddressGuard:
    """Lets tools call public hosts over https, and cluster hosts that are on the list.

    A listed host (`name`, or `name:port` for that port alone) may resolve to private or loopback
    addresses, over http too. Link-local and metadata addresses are refused for every host.
    """

    def __init__(self, allowed_hosts: Iterable[str], *, resolver: Resolver | None = None) -> None:
        self._allowed = frozenset(host.lower().rstrip(".") for host in allowed_hosts)
        self._resolve = resolver or _resolve

    async def check(self, url: str) -> PinnedAddress:
        """The one address to connect to, resolved once. Raises ForbiddenAddressError."""
        scheme, host, port = _parts(url)
        listed = host in self._allowed or f"{host}:{port}" in self._allowed
        if not listed and (_encrypted(scheme), port) != (True, 443):
            raise ForbiddenAddressError(
                f"host {host!r} is not on the list of cluster hosts, so only https on port 443"
            )
        addresses = await self._addresses(host, port)
        for address in addresses:
            _check(host, address, listed=listed)
        return PinnedAddress(host, port, scheme, str(addresses[0]))

    async def _addresses(self, host: str, port: int) -> list[IPAddress]:
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                texts = await self._resolve(host, port)
            addresses = [ipaddress.ip_address(text.partition("%")[0]) for text in texts]
        except (OSError, UnicodeError, ValueError, TimeoutError):
            raise ForbiddenAddressError(f"host {host!r} can't be resolved") from None
        if not addresses:
            raise ForbiddenAddressError(f"host {host!r} has no address")
        return addresses


def _parts(url: str) -> tuple[str, str, int]:
    if not _PLAIN.fullmatch(url):
        raise ForbiddenAddressError("a URL is plain ASCII; write other hosts as xn--…")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ForbiddenAddressError("this is no URL that can be called") from None
    host = (parts.hostname or "").lower().rstrip(".")
    if parts.scheme not in SCHEMES or not _HOST.fullmatch(host) or "@" in parts.netloc:
        raise ForbiddenAddressError("only plain http and https URLs can be called")
    return parts.scheme, host, port or (443 if _encrypted(parts.scheme) else 80)


def _encrypted(scheme: str) -> bool:
    return scheme in ("https", "grpcs")


def _check(host: str, address: IPAddress, *, listed: bool) -> None:
    """Refuse the address itself and every IPv4 address that it carries inside."""
    for each in (address, *_embedded(address)):
        metadata = any(each in network for network in _METADATA)
        barred = metadata or each.is_link_local or each.is_multicast or each.is_unspecified
        if barred:
            raise ForbiddenAddressError(f"host {host!r} resolves to {each}, which is never called")
        if not listed and not each.is_global:
            raise ForbiddenAddressError(
                f"host {host!r} resolves to {each}, which is not public; a cluster host must be on "
                "the agent's list of allowed hosts"
            )


def _embedded(address: IPAddress) -> list[IPAddress]:
    if isinstance(address, ipaddress.IPv4Address):
        return []
    inner = [address.ipv4_mapped, address.sixtofour]
    if address.teredo:
        inner += address.teredo
    if address in _NAT64:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in inner if each is not None]


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]
