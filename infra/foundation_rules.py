"""Rules about AWS: what a cluster stands on, and whose addresses collide."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.image_build_config import OWN_REGISTRY
from components.subnet_plan import overlaps

if TYPE_CHECKING:
    from infra.foundation_config import FoundationSection


def _eks_needs(config: "FoundationSection", region: str | None) -> Iterator[str]:
    if config.cluster.eks is None:
        return
    if region is None:
        yield "cluster.eks: got a cluster on AWS without 'aws:region'; set it beside this key"
    if (config.network is None) == (config.existing_network is None):
        yield (
            "network: exactly one of 'network' and 'existingNetwork' must be given with cluster.eks"
            "; null the other"
        )
    if config.encryption is None:
        yield "encryption: got null; cluster.eks needs it; give it a value, as Pulumi.dev.yaml does"
    eks = config.cluster.eks
    if eks.public_endpoint and not eks.public_access_cidrs:
        yield (
            "cluster.eks.publicAccessCidrs: got an empty list; a public endpoint needs at least "
            "one block; name your networks or set publicEndpoint: false"
        )


def _zones(config: "FoundationSection", region: str | None) -> Iterator[str]:
    zones = config.network.availability_zones if config.network else ()
    if config.existing_network:
        existing = config.existing_network
        named = {
            "privateSubnets": existing.private_subnets,
            "publicSubnets": existing.public_subnets,
        }
        for key, subnets in named.items():
            for zone in subnets:
                if region and not zone.startswith(region):
                    yield (
                        f"existingNetwork.{key}.{zone}: got a zone outside of aws:region "
                        f"'{region}'; allowed are zones such as '{region}a'"
                    )
    for index, zone in enumerate(zones):
        if region and not zone.startswith(region):
            yield (
                f"network.availabilityZones[{index}]: got '{zone}'; allowed are zones of "
                f"aws:region '{region}', such as '{region}a'"
            )
    for zone in sorted({zone for zone in zones if zones.count(zone) > 1}):
        yield f"network.availabilityZones: got '{zone}' twice; name each zone once"


def _addresses(config: "FoundationSection", _region: str | None) -> Iterator[str]:
    blocks: dict[str, str] = {}
    if config.network:
        blocks["network.cidr"] = config.network.cidr
    if config.existing_network:
        blocks["existingNetwork.cidr"] = config.existing_network.cidr
    if config.cluster.eks:
        blocks["cluster.eks.serviceCidr"] = config.cluster.eks.service_cidr
    if config.network:
        for name, cidr in config.network.connected_networks.items():
            blocks[f"network.connectedNetworks.{name}"] = cidr
    yield from overlaps(blocks)


def _load_balancer(config: "FoundationSection", _region: str | None) -> Iterator[str]:
    """Without a controller a Service of type LoadBalancer waits for its address for ever."""
    eks = config.cluster.eks
    controller = config.load_balancer_controller
    if eks is None:
        if controller is not None:
            yield (
                "loadBalancerController: got a value without cluster.eks; it makes load balancers "
                "on AWS only; null it"
            )
        return
    if controller is None and not eks.auto_mode:
        yield (
            "loadBalancerController: got null; without it the gateway gets no address on EKS; "
            "give it a value, as Pulumi.dev.yaml does"
        )


def _registry_mirror(config: "FoundationSection", _region: str | None) -> Iterator[str]:
    stack = getattr(config.cluster, "stack", None)
    if config.image_mirror == OWN_REGISTRY and config.cluster.eks is None and stack is None:
        yield (
            f"imageMirror: got '{OWN_REGISTRY}', which is the ECR of a stack with cluster.eks; "
            "name a registry"
        )


FOUNDATION_RULES = (_eks_needs, _zones, _addresses, _load_balancer, _registry_mirror)
