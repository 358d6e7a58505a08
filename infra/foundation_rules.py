"""Rules about AWS: what a cluster stands on, whose addresses collide, what a mirror must cover."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic.alias_generators import to_camel

from components.image_build_config import OWN_BUILD, OWN_REGISTRY
from components.subnet_plan import overlaps

if TYPE_CHECKING:
    from infra.config import PlatformConfig


def _eks_needs(config: "PlatformConfig", region: str | None) -> Iterator[str]:
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


OF_A_CLUSTER_ON_AWS = ("network", "existing_network", "karpenter", "gpu_pools", "cpu_pools")
ON_AWS = ("encryption", "object_storage", "image_registry", "backup", "secret_operator")


def _beside_an_existing_cluster(config: "PlatformConfig", region: str | None) -> Iterator[str]:
    """Keys that would be ignored, and what buckets and identities need."""
    existing = config.cluster.existing
    if existing is None:
        return
    for key in OF_A_CLUSTER_ON_AWS:
        if getattr(config, key):
            yield (
                f"{to_camel(key)}: got a value with cluster.existing, whose network and nodes are "
                "not this stack's; remove it or make the cluster with cluster.eks"
            )
    wanted = [to_camel(key) for key in ON_AWS if getattr(config, key)]
    if not wanted:
        return
    if region is None:
        yield f"{wanted[0]}: got a value without 'aws:region'; set it beside this key or null it"
    if config.encryption is None:
        yield f"encryption: got null; {', '.join(wanted)} need its keys; give it a value"
    if existing.eks_name is None:
        yield (
            f"cluster.existing.eksName: missing; {', '.join(wanted)} on AWS are reached by Pod "
            "Identity, which knows a cluster by its EKS name; name it or null them"
        )
    if config.session_store.variant == "elasticache":
        yield (
            "sessionStore.variant: got 'elasticache', which lies in the network of a cluster of "
            "this stack; choose 'chart' or make the cluster with cluster.eks"
        )


def _zones(config: "PlatformConfig", region: str | None) -> Iterator[str]:
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


def _addresses(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
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
    yield from _policies_know_the_vpc(config)


def _policies_know_the_vpc(config: "PlatformConfig") -> Iterator[str]:
    """NetworkPolicies open the way to AWS by this range; another one cuts Pods off."""
    network = config.network or config.existing_network
    if network is None or config.network_policies is None:
        return
    given = config.network_policies.cloud_cidr
    if given is not None and given != network.cidr:
        yield (
            f"networkPolicies.cloudCidr: got '{given}'; allowed is the VPC's range "
            f"'{network.cidr}'; correct it"
        )


def _load_balancer(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
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


def _own_images(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    """`registry://` and `build://` must name what this stack has."""
    repositories = config.image_registry.repositories if config.image_registry else ()
    shown = ", ".join(repositories) or "none"
    for repository in config.image_builds:
        if repository not in repositories:
            yield (
                f"imageBuilds.{repository}: got a repository that imageRegistry does not make; "
                f"allowed: {shown}; add it there or remove the build"
            )
    image = config.agent_service.image
    if image.startswith(OWN_BUILD) and image.removeprefix(OWN_BUILD) not in config.image_builds:
        yield (
            f"agentService.image: got '{image}'; allowed is {OWN_BUILD}<repository> with a "
            f"repository of imageBuilds: {', '.join(config.image_builds) or 'none'}"
        )
    if image.startswith(OWN_REGISTRY):
        repository, _, tag = image.removeprefix(OWN_REGISTRY).partition(":")
        if repository not in repositories or not tag:
            yield (
                f"agentService.image: got '{image}'; allowed is {OWN_REGISTRY}<repository>:<tag> "
                f"with a repository of imageRegistry: {shown}"
            )


def _mirrors(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    """A cluster that reaches charts in a mirror only has no way to public files either."""
    if config.chart_mirror and config.definitions and config.manifest_mirror is None:
        yield (
            f"manifestMirror: got null; with chartMirror the files of definitions "
            f"({', '.join(config.definitions)}) would still come from github.com; name a copy, or "
            "leave definitions empty"
        )
    if config.image_mirror == OWN_REGISTRY and config.cluster.eks is None:
        yield (
            f"imageMirror: got '{OWN_REGISTRY}', which is the ECR of a stack with cluster.eks; "
            "name a registry"
        )


FOUNDATION_RULES = (
    _eks_needs,
    _beside_an_existing_cluster,
    _zones,
    _addresses,
    _load_balancer,
    _own_images,
    _mirrors,
)
