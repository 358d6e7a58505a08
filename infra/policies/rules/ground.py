"""Networks, disks, image registries and tags on AWS."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .cluster import EVERYBODY
from .rule import STRINGS, Finding, Resource, Rule, Setting, Settings, at, known, listed
from .taggable import TAGGABLE

GROUPS = (
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
)
RULE_OF_GROUP = "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
RANGES = ("cidrBlocks", "ipv6CidrBlocks", "cidrIpv4", "cidrIpv6")
REPOSITORY = "aws:ecr/repository:Repository"


def _ingress(resource: Resource) -> Iterator[Mapping[str, Any]]:
    if resource.type in GROUPS:
        rules = resource.props.get("ingress")
        yield from (it for it in listed(rules) if isinstance(it, Mapping))
    elif resource.type == INGRESS_RULE or (
        resource.type == RULE_OF_GROUP and resource.props.get("type") == "ingress"
    ):
        yield resource.props


def _open_groups(resource: Resource, _: Settings) -> Iterable[Finding]:
    for rule in _ingress(resource):
        wide = [it for key in RANGES for it in listed(rule.get(key)) if it in EVERYBODY]
        if wide:
            ports = f"{rule.get('fromPort')}-{rule.get('toPort')}"
            yield Finding(
                f"lets {', '.join(wide)} in on ports {ports}",
                "ranges of your own, or other groups",
                "name who may come in; the public comes through the load balancer",
            )


def _disks(resource: Resource) -> Iterator[tuple[str, Any]]:
    """Each disk and whether it is encrypted."""
    props = resource.props
    if resource.type == "aws:ebs/volume:Volume":
        yield "encrypted", props.get("encrypted")
    elif resource.type == "aws:ec2/launchTemplate:LaunchTemplate":
        for disk in listed(props.get("blockDeviceMappings")):
            yield "blockDeviceMappings.ebs.encrypted", at(disk, "ebs", "encrypted")
    elif resource.type == "aws:ec2/instance:Instance":
        yield "rootBlockDevice.encrypted", at(props, "rootBlockDevice", "encrypted")
    elif resource.type.endswith(":EC2NodeClass"):
        for disk in listed(at(props, "spec", "blockDeviceMappings")):
            yield "spec.blockDeviceMappings.ebs.encrypted", at(disk, "ebs", "encrypted")
    elif resource.type.endswith(":StorageClass") and "ebs.csi" in str(props.get("provisioner")):
        yield "parameters.encrypted", at(props, "parameters", "encrypted")


def _encrypted_disks(resource: Resource, _: Settings) -> Iterable[Finding]:
    for place, value in _disks(resource):
        if known(value) and str(value).lower() != "true":
            yield Finding(f"{place} is {value!r}", "true", "encrypt the disk")


def _immutable(resource: Resource, _: Settings) -> Iterable[Finding]:
    value = resource.props.get("imageTagMutability")
    if known(value) and value != "IMMUTABLE":
        yield Finding(
            f"imageTagMutability is {value!r}", "'IMMUTABLE'", "let no tag move to another image"
        )


def _scanned(resource: Resource, _: Settings) -> Iterable[Finding]:
    value = at(resource.props, "imageScanningConfiguration", "scanOnPush")
    if known(value) and value is not True:
        yield Finding(
            f"imageScanningConfiguration.scanOnPush is {value!r}", "true", "scan every push"
        )


def _structure(value: Any) -> Any:
    """Settings of a provider are JSON inside a string."""
    return json.loads(value) if isinstance(value, str) else value


def _tagged(resource: Resource, settings: Settings) -> Iterable[Finding]:
    if resource.type not in TAGGABLE:
        return
    everywhere = at(_structure(resource.provider_props.get("defaultTags")), "tags")
    own = [resource.props.get("tags"), resource.props.get("tagsAll"), everywhere]
    if not all(known(it) for it in own):
        return
    there = {key for tags in own if isinstance(tags, Mapping) for key in tags}
    missing = [key for key in settings["tags"] if key not in there]
    if missing:
        yield Finding(
            f"has no tag {', '.join(missing)}",
            f"the tags {', '.join(settings['tags'])}",
            "use the stack's own provider, whose default tags they are",
        )


RULES = (
    Rule(
        "security-group",
        "mandatory",
        "No security group lets the whole internet in.",
        _open_groups,
        of=(*GROUPS, RULE_OF_GROUP, INGRESS_RULE),
    ),
    Rule(
        "disk-encryption",
        "mandatory",
        "Disks of nodes and volumes are encrypted.",
        _encrypted_disks,
        of=("aws:ebs/", "aws:ec2/", "kubernetes:karpenter.k8s.aws/", "kubernetes:storage.k8s.io/"),
    ),
    Rule(
        "ecr-immutable-tags", "mandatory", "A tag in ECR never moves.", _immutable, of=(REPOSITORY,)
    ),
    Rule(
        "ecr-scan", "mandatory", "ECR scans every image that is pushed.", _scanned, of=(REPOSITORY,)
    ),
    Rule(
        "aws-tags",
        "mandatory",
        "Everything on AWS that can have tags has the platform's.",
        _tagged,
        of=("aws:",),
        settings={"tags": Setting(STRINGS, "tags that must be there", ["Project", "Environment"])},
    ),
)
