"""Rules between pools, region and GPU support; a broken one is a line that begins with its path."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from components.gpu_claim import CLAIM_QUOTA
from components.gpu_node_pool import GpuNodePoolConfig
from components.gpu_resource import GPU_RESOURCE
from components.node_pool import NodePoolConfig
from inference.instances import instance_table

if TYPE_CHECKING:
    from infra.config import PlatformConfig

MOST_REGIONS_NAMED = 6


def _pools(config: "PlatformConfig") -> Iterator[tuple[str, NodePoolConfig]]:
    pools: Mapping[str, Mapping[str, NodePoolConfig]] = {
        "gpuPools": config.gpu_pools,
        "cpuPools": config.cpu_pools,
    }
    for key, named in pools.items():
        for name, pool in named.items():
            yield f"{key}.{name}", pool


def _offered(config: "PlatformConfig", region: str | None) -> Iterator[str]:
    """Types that a region lacks: Karpenter would wait for them without a word."""
    if config.cluster.eks is None or region is None:
        return
    table = instance_table()
    for path, pool in _pools(config):
        for name in pool.instance_types:
            if table.offered(name, region) is False:
                regions = table.regions_of(name)
                more = ", …" if len(regions) > MOST_REGIONS_NAMED else ""
                yield (
                    f"{path}.instanceTypes: got '{name}', which aws:region '{region}' does not "
                    f"offer ({table.zone_source}); offered in "
                    f"{', '.join(regions[:MOST_REGIONS_NAMED])}{more}; remove it or move"
                )


def _zones(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    known = config.network.availability_zones if config.network else None
    if known is None:
        return
    for path, pool in _pools(config):
        for zone in pool.zones:
            if zone not in known:
                yield (
                    f"{path}.zones: got '{zone}', where the network has no subnet; allowed are "
                    f"{', '.join(known)}"
                )


def _taken_gpus(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    """A model server that names a pool must find it, with nodes that are large enough."""
    pools = config.gpu_pools
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
        facts = pools[wanted].known_types().values()
        most = max((it.gpus for it in facts), default=None)
        gpus = server.gpus or 0
        if most is not None and gpus > most:
            yield (
                f"modelServers.{name}.gpus: got {gpus}; the largest node of '{wanted}' has {most}; "
                "lower it or add a larger type to the pool"
            )


def _gates(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    """Alpha features of Karpenter are switched on by name, never in passing."""
    if config.karpenter is None:
        return
    for path, pool in _pools(config):
        if pool.static_nodes is not None and not config.karpenter.static_capacity:
            yield (
                f"{path}.staticNodes: needs karpenter.staticCapacity: true (alpha in Karpenter "
                "1.14); set it or remove staticNodes"
            )
        shared = isinstance(pool, GpuNodePoolConfig) and pool.sharing is not None
        if shared and not config.karpenter.node_overlay:
            yield (
                f"{path}.sharing: needs karpenter.nodeOverlay: true (alpha in Karpenter 1.14), "
                "without which Karpenter buys no node for shares; set it or remove sharing"
            )


def _claims(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    """What DRA can't be combined with."""
    if config.gpu_support is None or config.gpu_support.allocation != "dra":
        return
    path = "gpuSupport.allocation: got 'dra'"
    for name, pool in config.gpu_pools.items():
        if pool.static_nodes is None:
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
    eks = config.cluster.eks
    if eks is not None and eks.version == "1.33":
        yield (
            f"{path} on Kubernetes 1.33, which does not serve resource.k8s.io/v1; "
            "choose cluster.eks.version '1.34' or 'devicePlugin'"
        )
    for name, server in config.model_servers.items():
        if server.node_pool in config.gpu_pools and server.gpus and not server.gpu_claim:
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


CAPACITY_RULES = (_offered, _zones, _taken_gpus, _gates, _claims)
