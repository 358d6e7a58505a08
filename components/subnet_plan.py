"""Address arithmetic: which block each subnet gets, and which blocks collide."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator

SLOT_PREFIX = 20
PUBLIC_OFFSET = 8
"""Public subnets start at the ninth /20 of a /16, so that more zones never move an existing one."""
PRIVATE_RANGES = tuple(IPv4Network(it) for it in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


def parse_cidr(text: str) -> IPv4Network:
    """The network; ValueError names what is wrong with it and a block that would do."""
    try:
        network = IPv4Network(text)
    except ValueError:
        raise ValueError("an IPv4 block without host bits, such as 10.0.0.0/16") from None
    return network


def check_cidr(text: str) -> str:
    """`text` when it is an IPv4 block."""
    parse_cidr(text)
    return text


Cidr = Annotated[str, AfterValidator(check_cidr)]


def check_vpc_cidr(text: str) -> str:
    """`text` when a VPC of private /20 subnets fits into it."""
    network = parse_cidr(text)
    if network.prefixlen != 16 or not any(network.subnet_of(it) for it in PRIVATE_RANGES):
        raise ValueError(
            "a /16 inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16, such as 10.0.0.0/16"
        )
    return text


VpcCidr = Annotated[str, AfterValidator(check_vpc_cidr)]


def check_service_cidr(text: str) -> str:
    """`text` when EKS takes it as the range of ClusterIPs."""
    network = parse_cidr(text)
    fits = 12 <= network.prefixlen <= 24
    if not fits or not any(network.subnet_of(it) for it in PRIVATE_RANGES):
        raise ValueError(
            "a /12 to /24 inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16, such as 172.20.0.0/16"
        )
    return text


ServiceCidr = Annotated[str, AfterValidator(check_service_cidr)]

SubnetKind = Literal["public", "private"]


def role_tags(kind: SubnetKind, *, cluster: str) -> dict[str, str]:
    """By these load balancers and Karpenter find a subnet."""
    if kind == "public":
        return {"kubernetes.io/role/elb": "1"}
    return {"kubernetes.io/role/internal-elb": "1", "karpenter.sh/discovery": cluster}


class PlannedSubnet(NamedTuple):
    """One subnet before it exists."""

    kind: SubnetKind
    zone: str
    cidr: str


def subnet_plan(cidr: str, zones: Sequence[str]) -> list[PlannedSubnet]:
    """A private and a public /20 in each zone; the order of `zones` is part of the plan."""
    slots = list(IPv4Network(cidr).subnets(new_prefix=SLOT_PREFIX))
    plan = [PlannedSubnet("private", zone, str(slots[i])) for i, zone in enumerate(zones)]
    public = enumerate(zones, PUBLIC_OFFSET)
    return plan + [PlannedSubnet("public", zone, str(slots[i])) for i, zone in public]


def overlaps(blocks: Mapping[str, str]) -> list[str]:
    """One line for each pair of named blocks that share addresses."""
    named = [(name, IPv4Network(cidr)) for name, cidr in blocks.items()]
    lines = []
    for index, (name, network) in enumerate(named):
        for other, block in named[index + 1 :]:
            if network.overlaps(block):
                lines.append(
                    f"{name}: got '{network}'; it overlaps {other} '{block}'; "
                    "choose a block that shares no address with it"
                )
    return lines
