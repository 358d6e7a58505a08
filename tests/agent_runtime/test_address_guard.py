"""The guard against forged requests: which addresses a tool may reach."""

import pytest

from agent_runtime.tools.address_guard import AddressGuard, ForbiddenAddressError

pytestmark = pytest.mark.unit


def guard(*allowed: str, **names: list[str]) -> AddressGuard:
    """A guard whose DNS knows `names` (underscores stand for dots) and numeric addresses."""
    table = {name.replace("_", "."): addresses for name, addresses in names.items()}

    async def resolve(host: str, port: int) -> list[str]:
        del port
        return table.get(host, [host])

    return AddressGuard(allowed, resolver=resolve)


async def test_a_public_host_is_reached_over_https_at_the_address_that_was_checked() -> None:
    pinned = await guard(api_example=["93.184.216.34"]).check("https://api.example/v1?x=1")
    assert (pinned.host, pinned.port, pinned.address) == ("api.example", 443, "93.184.216.34")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example/",
        "https://api.example:8443/",
        "ftp://api.example/",
        "https://user:pw@api.example/",
        "https:///nothing",
        "file:///etc/passwd",
    ],
)
async def test_other_schemes_ports_and_credentials_are_refused(url: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        await guard(api_example=["93.184.216.34"]).check(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "fc00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:a00:1::",
    ],
)
async def test_a_host_that_resolves_into_the_cluster_or_the_machine_is_refused(
    address: str,
) -> None:
    with pytest.raises(ForbiddenAddressError, match=r"evil\.example"):
        await guard(evil_example=[address]).check("https://evil.example/")


async def test_one_bad_address_among_good_ones_is_enough() -> None:
    with pytest.raises(ForbiddenAddressError):
        await guard(evil_example=["93.184.216.34", "10.0.0.1"]).check("https://evil.example/")


async def test_a_listed_cluster_host_may_be_private_and_plain() -> None:
    pinned = await guard("Ticketing-Service", **{"ticketing-service": ["10.100.3.4"]}).check(
        "http://ticketing-service:8080/api"
    )
    assert (pinned.address, pinned.port) == ("10.100.3.4", 8080)


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254"])
async def test_not_even_a_listed_host_may_be_the_metadata_service(address: str) -> None:
    with pytest.raises(ForbiddenAddressError, match="never called"):
        await guard("inside", inside=[address]).check("http://inside/")


async def test_the_list_names_whole_hosts() -> None:
    dns = {"evil-ticketing": ["10.0.0.1"], "ticketing_evil_example": ["10.0.0.1"]}
    for host in ("evil-ticketing", "ticketing.evil.example"):
        with pytest.raises(ForbiddenAddressError):
            await guard("ticketing", **dns).check(f"http://{host}/")


async def test_numbers_that_mean_loopback_are_resolved_and_refused() -> None:
    """The system's own resolver reads these as 127.0.0.1."""
    for host in ("127.1", "2130706433", "0x7f000001", "localhost"):
        with pytest.raises(ForbiddenAddressError):
            await AddressGuard([]).check(f"https://{host}/")


async def test_a_host_that_nobody_knows_is_refused_with_its_name() -> None:
    with pytest.raises(ForbiddenAddressError, match=r"no-such-host\.invalid"):
        await AddressGuard([]).check("https://no-such-host.invalid/")
