"""Address arithmetic of the VPC."""

from ipaddress import IPv4Network

import pytest

from components.subnet_plan import check_cidr, check_vpc_cidr, overlaps, subnet_plan

pytestmark = pytest.mark.unit

ZONES = ("us-west-2a", "us-west-2b", "us-west-2c")


def test_each_zone_gets_a_private_and_a_public_slash_20_inside_the_vpc() -> None:
    plan = subnet_plan("10.10.0.0/16", ZONES)
    networks = [IPv4Network(subnet.cidr) for subnet in plan]
    assert [(subnet.kind, subnet.zone) for subnet in plan] == [
        *(("private", zone) for zone in ZONES),
        *(("public", zone) for zone in ZONES),
    ]
    assert all(it.prefixlen == 20 and it.subnet_of(IPv4Network("10.10.0.0/16")) for it in networks)
    assert not any(a.overlaps(b) for i, a in enumerate(networks) for b in networks[i + 1 :])


def test_a_further_zone_moves_no_existing_subnet() -> None:
    before = set(subnet_plan("10.10.0.0/16", ZONES))
    assert before <= set(subnet_plan("10.10.0.0/16", (*ZONES, "us-west-2d")))


def test_an_overlap_names_both_blocks_and_the_way_out() -> None:
    lines = overlaps({"vpc": "10.0.0.0/16", "services": "172.20.0.0/16", "office": "10.0.8.0/24"})
    assert lines == [
        "vpc: got '10.0.0.0/16'; it overlaps office '10.0.8.0/24'; "
        "choose a block that shares no address with it"
    ]


@pytest.mark.parametrize("text", ["10.0.0.0/24", "8.8.0.0/16", "10.0.0.0", "ten", "10.0.1.0/16"])
def test_a_block_that_no_vpc_fits_into_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/16"):
        check_vpc_cidr(text)


def test_host_bits_are_refused() -> None:
    with pytest.raises(ValueError, match="without host bits"):
        check_cidr("10.0.0.1/24")
