"""Rules between workloads and the ground they stand on, whichever stack made that."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.auto_mode import LOAD_BALANCER_CLASS
from components.gpu_claim import CLAIM_QUOTA
from components.gpu_resource import GPU_RESOURCE
from components.image_build_config import OWN_BUILD, OWN_REGISTRY
from infra.auto_mode_rules import OWN_KARPENTER
from infra.offer import Offer

if TYPE_CHECKING:
    from infra.config import PlatformConfig


def broken_by_offer(config: "PlatformConfig", offer: Offer) -> list[str]:
    """Every rule that the platform breaks on such a ground, a line each, path first."""
    return [line for rule in OFFER_RULES for line in rule(config, offer)]


def _policies_know_the_vpc(config: "PlatformConfig", offer: Offer) -> Iterator[str]:
    """NetworkPolicies open the way to AWS by this range; another one cuts Pods off."""
    if offer.network_cidr is None or config.network_policies is None:
        return
    given = config.network_policies.cloud_cidr
    if given is not None and given != offer.network_cidr:
        yield (
            f"networkPolicies.cloudCidr: got '{given}'; allowed is the VPC's range "
            f"'{offer.network_cidr}'; correct it"
        )


def _own_images(config: "PlatformConfig", offer: Offer) -> Iterator[str]:
    """`registry://` and `build://` must name what the ground, or this stack, has."""
    shown = ", ".join(offer.repositories) or "none"
    for repository in config.image_builds:
        if repository not in offer.repositories:
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
        if repository not in offer.repositories or not tag:
            yield (
                f"agentService.image: got '{image}'; allowed is {OWN_REGISTRY}<repository>:<tag> "
                f"with a repository of imageRegistry: {shown}"
            )


def _stores(config: "PlatformConfig", offer: Offer) -> Iterator[str]:
    wanted = {"vectors": ("vectorStore", "chart"), "traces": ("tracing", "langfuse")}
    chosen = {"vectors": config.vector_store.variant, "traces": config.tracing.variant}
    for bucket, (key, variant) in wanted.items():
        if chosen[bucket] == variant and bucket not in offer.buckets:
            yield (
                f"{key}.variant: got '{variant}', which keeps its data in objectStorage.buckets."
                f"{bucket}; add that bucket or choose 'embedded'"
            )
    if config.session_store.variant == "elasticache" and not offer.subnets:
        yield (
            "sessionStore.variant: got 'elasticache', which lies in the network of a cluster of "
            "this program; choose 'chart' or make the cluster with cluster.eks"
        )


def _taken_gpus(config: "PlatformConfig", offer: Offer) -> Iterator[str]:
    """A model server that names a pool must find it, with nodes that are large enough."""
    pools = offer.gpu_pools
    for name, server in config.model_servers.items():
        wanted = server.node_pool
        if wanted is None or not pools:
            continue
        if wanted not in pools:
            yield (
                f"modelServers.{name}.nodePool: got '{wanted}'; allowed: {', '.join(pools)}; "
                "correct it or add the pool"
            )
            continue
        most, gpus = pools[wanted].largest_gpus, server.gpus or 0
        if most is not None and gpus > most:
            yield (
                f"modelServers.{name}.gpus: got {gpus}; the largest node of '{wanted}' has {most}; "
                "lower it or add a larger type to the pool"
            )


def _claims(config: "PlatformConfig", offer: Offer) -> Iterator[str]:
    """What DRA can't be combined with."""
    if config.gpu_support is None or config.gpu_support.allocation != "dra":
        return
    path = "gpuSupport.allocation: got 'dra'"
    for name, pool in offer.gpu_pools.items():
        if not pool.static:
            yield (
                f"{path} with gpuPools.{name}, which Karpenter sizes: Karpenter 1.14 does not see "
                "resource claims, so no node would come for them; give the pool staticNodes or "
                "choose 'devicePlugin'"
            )
        if pool.sharing is not None:
            yield (
                f"{path} with gpuPools.{name}.sharing, which the device plugin makes; "
                "remove one of them"
            )
    if offer.kubernetes_version == "1.33":
        yield (
            f"{path} on Kubernetes 1.33, which does not serve resource.k8s.io/v1; "
            "choose cluster.eks.version '1.34' or 'devicePlugin'"
        )
    for name, server in config.model_servers.items():
        if server.node_pool in offer.gpu_pools and server.gpus and not server.gpu_claim:
            yield (
                f"{path} with modelServers.{name}.gpus, which asks the device plugin for "
                f"{GPU_RESOURCE}; give it a gpuClaim, choose 'devicePlugin' or run it elsewhere"
            )
    quota = config.namespaces["ai-inference"].quota if "ai-inference" in config.namespaces else None
    if quota is not None and CLAIM_QUOTA not in quota.hard:
        yield (
            f"namespaces.ai-inference.quota.hard: has no '{CLAIM_QUOTA}', so with "
            "gpuSupport.allocation 'dra' nothing would bound the GPUs there; add it"
        )


def _in_auto_mode(config: "PlatformConfig", offer: Offer) -> Iterator[str]:
    """What AWS runs in Auto Mode must not run a second time."""
    if not offer.auto_mode:
        return
    if config.gateway.variant != "envoy" and config.gateway.load_balancer_class is None:
        yield (
            "gateway.loadBalancerClass: got null; Auto Mode gives a load balancer only to Services "
            f"that name its class; set '{LOAD_BALANCER_CLASS}'"
        )
    if config.gpu_support is not None and config.gpu_support.allocation == "dra":
        yield (
            "gpuSupport.allocation: got 'dra'; Auto Mode's nodes run AWS's own device plugin and "
            f"no DRA driver; choose 'devicePlugin' or {OWN_KARPENTER}"
        )


OFFER_RULES = (_policies_know_the_vpc, _own_images, _in_auto_mode, _taken_gpus, _claims, _stores)
