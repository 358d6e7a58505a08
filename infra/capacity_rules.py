"""Rules between pools, region and Karpenter; a broken one is a line that begins with its path."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from components.gpu_node_pool import GpuNodePoolConfig
from components.node_pool import NodePoolConfig
from inference.instances import instance_table

if TYPE_CHECKING:
    from infra.foundation_config import FoundationSection

MOST_REGIONS_NAMED = 6


def _pools(config: "FoundationSection") -> Iterator[tuple[str, NodePoolConfig]]:
    pools: Mapping[str, Mapping[str, NodePoolConfig]] = {
        "gpuPools": config.gpu_pools,
        "cpuPools": config.cpu_pools,
    }
    for key, named in pools.items():
        for name, pool in named.items():
            yield f"{key}.{name}", pool


def _offered(config: "FoundationSection", region: str | None) -> Iterator[str]:
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


def _zones(config: "FoundationSection", _region: str | None) -> Iterator[str]:
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


def _gates(config: "FoundationSection", _region: str | None) -> Iterator[str]:
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


CAPACITY_RULES = (_offered, _zones, _gates)
