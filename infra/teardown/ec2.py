"""Leftovers of EC2: instances, templates, disks, interfaces, security groups."""

from collections.abc import Iterator
from typing import Any

from inference.instances import instance_table
from infra.teardown.leftover import Fate, Leftover, proof, tags_of
from infra.teardown.scope import Scope

GOING = ("shutting-down", "terminated")


def find_ec2(ec2: Any, scope: Scope) -> Iterator[Leftover]:
    """Everything of the cluster's that is not in the state; `ec2` is a client of boto3."""
    yield from _instances(ec2, scope)
    yield from _launch_templates(ec2, scope)
    yield from _volumes(ec2, scope)
    yield from _snapshots(ec2, scope)
    yield from _interfaces(ec2, scope)
    yield from _groups(ec2, scope)


def _pages(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page[key]


def _named(tags: dict[str, str]) -> str:
    return tags.get("Name", "")


def _instances(ec2: Any, scope: Scope) -> Iterator[Leftover]:
    types = instance_table().types
    for reservation in _pages(ec2, "describe_instances", "Reservations"):
        for each in reservation["Instances"]:
            tags = tags_of(each.get("Tags"))
            why = proof(tags, scope.cluster)
            if why is None or each["State"]["Name"] in GOING or scope.has(each["InstanceId"]):
                continue
            facts = types.get(each["InstanceType"])
            yield Leftover(
                "instance",
                each["InstanceId"],
                "delete",
                why,
                name=each["InstanceType"],
                usd_per_hour=facts.usd_per_hour if facts else None,
            )


def _launch_templates(ec2: Any, scope: Scope) -> Iterator[Leftover]:
    for each in _pages(ec2, "describe_launch_templates", "LaunchTemplates"):
        why = proof(tags_of(each.get("Tags")), scope.cluster)
        if why and not scope.has(each["LaunchTemplateId"]):
            name = each["LaunchTemplateName"]
            yield Leftover("launch-template", each["LaunchTemplateId"], "delete", why, name=name)


def _volumes(ec2: Any, scope: Scope) -> Iterator[Leftover]:
    for each in _pages(ec2, "describe_volumes", "Volumes"):
        tags = tags_of(each.get("Tags"))
        why = proof(tags, scope.cluster)
        if why is None or scope.has(each["VolumeId"]):
            continue
        fate: Fate = "kept" if scope.retain else "delete"
        reason = "retainOnDelete: data stays on AWS" if scope.retain else why
        claim = tags.get("kubernetes.io/created-for/pvc/name") or _named(tags)
        yield Leftover("volume", each["VolumeId"], fate, reason, name=f"{each['Size']} GiB {claim}")


def _snapshots(ec2: Any, scope: Scope) -> Iterator[Leftover]:
    for each in _pages(ec2, "describe_snapshots", "Snapshots", OwnerIds=["self"]):
        tags = tags_of(each.get("Tags"))
        if proof(tags, scope.cluster) and not scope.has(each["SnapshotId"]):
            why = "a copy of data: delete it yourself"
            yield Leftover("snapshot", each["SnapshotId"], "kept", why, name=_named(tags))


def _interfaces(ec2: Any, scope: Scope) -> Iterator[Leftover]:
    for each in _pages(ec2, "describe_network_interfaces", "NetworkInterfaces"):
        why = proof(tags_of(each.get("TagSet")), scope.cluster)
        if why is None or scope.has(each["NetworkInterfaceId"]):
            continue
        name = each.get("Description", "")
        if each["Status"] == "available":
            yield Leftover(
                "network-interface", each["NetworkInterfaceId"], "delete", why, name=name
            )
        elif not each.get("Attachment", {}).get("InstanceId"):
            reason = f"{each['Status']}: goes with what it is attached to"
            yield Leftover(
                "network-interface", each["NetworkInterfaceId"], "report", reason, name=name
            )


def _groups(ec2: Any, scope: Scope) -> Iterator[Leftover]:
    for each in _pages(ec2, "describe_security_groups", "SecurityGroups"):
        why = proof(tags_of(each.get("Tags")), scope.cluster)
        if why and not scope.has(each["GroupId"]):
            yield Leftover("security-group", each["GroupId"], "delete", why, name=each["GroupName"])
