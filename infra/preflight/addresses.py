"""Whether the region has room for the stack's network, or the network that it brings is usable."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from components.existing_network import ExistingNetworkConfig
from components.node_class import DISCOVERY_TAG
from infra.aws_session import AwsSession, code_of
from infra.preflight.finding import Finding, quota_link
from infra.preflight.quotas import quota_value
from infra.stack_file import Stack

FEWEST_ADDRESSES = 64
"""Of a subnet: Pods of a few nodes; AWS itself keeps five."""


class Count(NamedTuple):
    """Something that a region has only so many of."""

    what: str
    service: str
    code: str
    used: int
    needed: int


def network_quotas(stack: Stack, aws: AwsSession) -> Iterator[Finding]:
    """A line for each; nothing where the cluster, and so its network, is there already."""
    network = stack.config.network
    if network is None or stack.eks is None or _exists(stack.eks.name, aws):
        return
    zones = len(network.availability_zones)
    nats = zones if network.nat == "perZone" else 1
    ec2 = aws.client("ec2")
    vpcs = ec2.get_paginator("describe_vpcs").paginate()
    gateways = ec2.get_paginator("describe_internet_gateways").paginate()
    counts = [
        Count("VPCs", "vpc", "L-F678F1CE", _length(vpcs, "Vpcs"), 1),
        Count("internet gateways", "vpc", "L-A4707A72", _length(gateways, "InternetGateways"), 1),
        Count("Elastic IPs", "ec2", "L-0263D0A3", len(ec2.describe_addresses()["Addresses"]), nats),
        Count(
            "NAT gateways of a zone",
            "vpc",
            "L-FE5A380F",
            _most_nats(ec2, network.availability_zones[:nats]),
            1,
        ),
    ]
    for it in counts:
        value = int(quota_value(aws, it.service, it.code))
        enough = value - it.used >= it.needed
        yield Finding(
            "network quota",
            f"{it.code} {it.what}",
            "ok" if enough else "failed",
            f"{value}, {value - it.used} left",
            f"network needs {it.needed}",
            ""
            if enough
            else f"raise it, or set network.nat: single, or bring existingNetwork: "
            f"{quota_link(it.service, it.code, aws.region)}",
        )


def _exists(cluster: str, aws: AwsSession) -> bool:
    client = aws.client("eks")
    try:
        client.describe_cluster(name=cluster)
    except client.exceptions.ResourceNotFoundException:
        return False
    return True


def _length(pages: Any, key: str) -> int:
    return sum(len(page[key]) for page in pages)


def _most_nats(ec2: Any, zones: tuple[str, ...]) -> int:
    """Gateways in that of the zones which has most of them."""
    subnets = ec2.get_paginator("describe_subnets").paginate(
        Filters=[{"Name": "availability-zone", "Values": [*zones]}]
    )
    zone_of = {it["SubnetId"]: it["AvailabilityZone"] for page in subnets for it in page["Subnets"]}
    pages = ec2.get_paginator("describe_nat_gateways").paginate(
        Filter=[{"Name": "state", "Values": ["pending", "available", "deleting"]}]
    )
    counts = dict.fromkeys(zones, 0)
    for page in pages:
        for it in page["NatGateways"]:
            zone = zone_of.get(it["SubnetId"])
            if zone in counts:
                counts[zone] += 1
    return max(counts.values())


def existing_network(stack: Stack, aws: AwsSession) -> Iterator[Finding]:
    """Whether the VPC and subnets that the stack brings are there and fit."""
    network = stack.config.existing_network
    if network is None:
        return
    ec2 = aws.client("ec2")
    try:
        vpc = ec2.describe_vpcs(VpcIds=[network.vpc_id])["Vpcs"][0]
    except ec2.exceptions.ClientError as error:
        if code_of(error) != "InvalidVpcID.NotFound":
            raise
        yield Finding(
            "existing network",
            network.vpc_id,
            "failed",
            f"not in {aws.region}",
            "a VPC of this account and region",
            "correct existingNetwork.vpcId",
        )
        return
    problems = [*_of_vpc(ec2, network, vpc), *_of_subnets(ec2, network, stack.cluster_name)]
    yield from problems
    if not problems:
        count = len(network.private_subnets) + len(network.public_subnets)
        yield Finding("existing network", network.vpc_id, "ok", f"with {count} subnets")


def _of_vpc(ec2: Any, network: ExistingNetworkConfig, vpc: Any) -> Iterator[Finding]:
    blocks = [it["CidrBlock"] for it in vpc.get("CidrBlockAssociationSet", [])]
    if network.cidr not in {vpc["CidrBlock"], *blocks}:
        yield Finding(
            "existing network",
            "existingNetwork.cidr",
            "failed",
            network.cidr,
            ", ".join(dict.fromkeys([vpc["CidrBlock"], *blocks])),
            "write the VPC's own range",
        )
    for attribute, key in (
        ("enableDnsSupport", "EnableDnsSupport"),
        ("enableDnsHostnames", "EnableDnsHostnames"),
    ):
        answer = ec2.describe_vpc_attribute(VpcId=network.vpc_id, Attribute=attribute)
        if not answer[key]["Value"]:
            yield Finding(
                "existing network",
                attribute,
                "failed",
                "off",
                "on: nodes find the private endpoint by it",
                f"aws ec2 modify-vpc-attribute --vpc-id {network.vpc_id} turns it on",
            )


def _of_subnets(ec2: Any, network: ExistingNetworkConfig, cluster: str | None) -> Iterator[Finding]:
    named = {
        f"existingNetwork.{key}.{zone}": (zone, subnet)
        for key, subnets in (
            ("privateSubnets", network.private_subnets),
            ("publicSubnets", network.public_subnets),
        )
        for zone, subnet in subnets.items()
    }
    pages = ec2.get_paginator("describe_subnets").paginate(
        Filters=[{"Name": "vpc-id", "Values": [network.vpc_id]}]
    )
    there = {it["SubnetId"]: it for page in pages for it in page["Subnets"]}
    for path, (zone, subnet) in named.items():
        found = there.get(subnet)
        if found is None or found["AvailabilityZone"] != zone:
            where = f"in {found['AvailabilityZone']}" if found else "not a subnet of that VPC"
            yield Finding(
                "existing network",
                path,
                "failed",
                f"{subnet} {where}",
                f"a subnet of {network.vpc_id} in {zone}",
                "correct it",
            )
            continue
        free = found["AvailableIpAddressCount"]
        if free < FEWEST_ADDRESSES:
            yield Finding(
                "existing network",
                path,
                "warning",
                f"{free} free addresses",
                f"{FEWEST_ADDRESSES} for the first Pods",
                "bring a larger subnet",
            )
        tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}
        private = path.startswith("existingNetwork.private")
        if private and not network.tag_subnets and tags.get(DISCOVERY_TAG) != cluster:
            yield Finding(
                "existing network",
                path,
                "failed",
                f"tag {DISCOVERY_TAG}: {tags.get(DISCOVERY_TAG, 'none')}",
                f"{cluster}: Karpenter finds subnets by it",
                "set the tag, or existingNetwork.tagSubnets: true",
            )
