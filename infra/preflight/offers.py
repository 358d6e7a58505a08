"""Whether AWS offers, holds and publishes what the stack's pools name."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from components.node_class import MANAGED_IMAGE, ReservationConfig
from components.node_pool import NodePoolConfig
from components.versions import NODE_AMI
from infra.aws_session import AwsSession, code_of
from infra.preflight.finding import Finding, Status
from infra.stack_file import Stack

IMAGE = (
    "/aws/service/eks/optimized-ami/{version}/amazon-linux-2023/{arch}/{variant}/{name}/image_id"
)
"""Where Karpenter's alias looks (karpenter-provider-aws, pkg/providers/amifamily/al2023.go)."""
LATEST = "recommended"
ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}


def instance_types(stack: Stack, aws: AwsSession) -> Iterator[Finding]:
    """A line for each pool: which of its types its zones offer."""
    named = sorted({it for pool in stack.pools.values() for it in pool.instance_types})
    if not named:
        return
    offered: dict[str, set[str]] = {}
    pages = aws.client("ec2").get_paginator("describe_instance_type_offerings")
    for page in pages.paginate(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": named}]
    ):
        for it in page["InstanceTypeOfferings"]:
            offered.setdefault(it["InstanceType"], set()).add(it["Location"])
    for name, pool in stack.pools.items():
        yield _of_pool(name, pool, pool.zones or stack.zones, offered, aws.region)


def _of_pool(
    name: str,
    pool: NodePoolConfig,
    zones: tuple[str, ...],
    offered: dict[str, set[str]],
    region: str,
) -> Finding:
    def places(instance_type: str) -> list[str]:
        found = offered.get(instance_type, set())
        return sorted(found & set(zones)) if zones else sorted(found)

    found = {it: places(it) for it in pool.instance_types}
    missing = [it for it, where in found.items() if not where]
    elsewhere = sorted({zone for it in missing for zone in offered.get(it, set())})
    there = "; ".join(f"{it} in {', '.join(where)}" for it, where in found.items() if where)
    asked = f"{', '.join(pool.instance_types)} in {', '.join(zones) or region}"
    if not missing:
        return Finding("instance types", name, "ok", there, asked)
    lacking = f"nowhere here: {', '.join(missing)}"
    return Finding(
        "instance types",
        name,
        "warning" if there else "failed",
        f"{there}; {lacking}" if there else lacking,
        asked,
        f"{'other zones have them: ' + ', '.join(elsewhere) if elsewhere else 'not in ' + region}"
        "; change instanceTypes or zones",
    )


def reservations(stack: Stack, aws: AwsSession) -> Iterator[Finding]:
    """A line for each reservation that a pool names."""
    for name, pool in stack.pools.items():
        for term in pool.node_class.reservations:
            yield _of_term(name, pool, term, stack, _reserved(aws, term))


def _reserved(aws: AwsSession, term: ReservationConfig) -> list[dict[str, Any]]:
    client = aws.client("ec2")
    if term.id:
        try:
            answer = client.describe_capacity_reservations(CapacityReservationIds=[term.id])
        except client.exceptions.ClientError as error:
            if not code_of(error).startswith("InvalidCapacityReservationId"):
                raise
            return []
        return list(answer["CapacityReservations"])
    filters = [
        {"Name": "tag-key", "Values": [key]}
        if value == "*"
        else {"Name": f"tag:{key}", "Values": [value]}
        for key, value in term.tags.items()
    ]
    if term.owner_id:
        filters.append({"Name": "owner-id", "Values": [term.owner_id]})
    pages = client.get_paginator("describe_capacity_reservations").paginate(Filters=filters)
    return [it for page in pages for it in page["CapacityReservations"]]


def _of_term(
    name: str,
    pool: NodePoolConfig,
    term: ReservationConfig,
    stack: Stack,
    found: list[dict[str, Any]],
) -> Finding:
    named = term.id or ", ".join(f"{key}={value}" for key, value in term.tags.items())
    subject = f"{name}: {named}"
    zones = pool.zones or stack.zones
    if not found:
        return Finding(
            "reservations",
            subject,
            "failed",
            "not there",
            "an active reservation",
            "correct nodeClass.reservations, or remove 'reserved' from capacityTypes",
        )
    reasons = {it["CapacityReservationId"]: _unusable(it, pool, zones) for it in found}
    usable = [it for it in found if not reasons[it["CapacityReservationId"]]]
    free = sum(it["AvailableInstanceCount"] for it in usable)
    value = "; ".join(
        f"{it['CapacityReservationId']} {it['State']}, {it['AvailableInstanceCount']} of "
        f"{it['TotalInstanceCount']} {it['InstanceType']} free in {it['AvailabilityZone']}"
        for it in found
    )
    why = "; ".join(f"{key}: {reason}" for key, reason in reasons.items() if reason)
    status: Status = "failed" if not usable else "warning" if not free or why else "ok"
    way_out = why or ("all of its instances are in use" if not free else "")
    asked = f"{', '.join(pool.instance_types)} in {', '.join(zones)}"
    return Finding("reservations", subject, status, value, asked, way_out)


def _unusable(reservation: dict[str, Any], pool: NodePoolConfig, zones: tuple[str, ...]) -> str:
    """Why the pool can't use it; empty when it can."""
    if reservation["State"] != "active":
        starts = reservation.get("StartDate")
        later = isinstance(starts, datetime) and starts > datetime.now(UTC)
        return f"state '{reservation['State']}'" + (f", starts {starts:%Y-%m-%d}" if later else "")
    if reservation["InstanceType"] not in pool.instance_types:
        return f"{reservation['InstanceType']} is none of the pool's instanceTypes"
    if zones and reservation["AvailabilityZone"] not in zones:
        return f"{reservation['AvailabilityZone']} is none of the pool's zones"
    return ""


def node_images(stack: Stack, aws: AwsSession) -> Iterator[Finding]:
    """A line for each node image that a pool's alias leads to."""
    if stack.eks is None:
        return
    wanted: dict[str, list[str]] = {}
    for name, pool in stack.pools.items():
        alias = pool.node_class.ami_alias
        if alias == MANAGED_IMAGE:
            continue
        variant = "nvidia" if name in stack.gpu_pools else "standard"
        wanted.setdefault(image_parameter(alias, pool, variant, stack.eks.version), []).append(name)
    client = aws.client("ssm")
    for parameter, pools in wanted.items():
        try:
            value = client.get_parameter(Name=parameter)["Parameter"]["Value"]
        except client.exceptions.ParameterNotFound:
            yield Finding(
                "node images",
                ", ".join(pools),
                "failed",
                f"no {parameter}",
                "an image that AWS has published",
                "choose another amiAlias (NODE_AMI in components/versions.py) or cluster version",
            )
        else:
            yield Finding("node images", ", ".join(pools), "ok", value, parameter)


def image_parameter(alias: str, pool: NodePoolConfig, variant: str, version: str) -> str:
    """The public SSM parameter of an alias such as `al2023@v20260903`."""
    release = (NODE_AMI if alias == "pinned" else alias).partition("@")[2]
    arch = ARCHITECTURES[pool.architecture]
    name = f"amazon-eks-node-al2023-{arch}-{variant}-{version}-{release}"
    return IMAGE.format(
        version=version,
        arch=arch,
        variant=variant,
        name=LATEST if release == "latest" else name,
    )
