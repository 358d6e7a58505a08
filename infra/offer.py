"""What the ground offers to workloads: said by a stack file, or by the stack that made the ground.

Rules between workloads and ground, and components that depend on pools, ask this alone; so they
hold no matter which stack the ground belongs to.
"""

from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, Field

from components.base import ConfigModel
from components.gpu_node_pool import GpuNodePoolConfig
from components.gpu_sharing import GpuSharing
from components.node_pool import NodePoolConfig

if TYPE_CHECKING:
    from infra.foundation_config import FoundationSection

Capacity = Literal["karpenter", "autoMode"]


class PoolOffer(ConfigModel):
    """What Pods find on the nodes of one pool; a part of the contract between stacks."""

    model_config = ConfigDict(extra="ignore")

    gpus: bool
    """Whether its nodes have GPUs."""
    largest_gpus: int | None = None
    """GPUs of its largest node, where the instance type is known."""
    static: bool = False
    """Whether its nodes are there without a Pod that asks for them."""
    sharing: GpuSharing | None = None
    """How Pods share its GPUs."""
    efa_types: tuple[str, ...] = ()
    """Its instance types, where they have EFA interfaces."""


class Offer(ConfigModel):
    """Names and facts, known before anything is made."""

    capacity: Capacity | None = None
    """Who runs nodes; None where that is not this program's."""
    kubernetes_version: str | None = None
    """Minor version; None where another program chose it."""
    network_cidr: str | None = None
    """Range of the VPC; None where it is not known."""
    subnets: bool = False
    """Whether stores can be put into subnets of the VPC."""
    repositories: tuple[str, ...] = ()
    """Of the registry."""
    buckets: tuple[str, ...] = ()
    """By their short names."""
    pools: dict[str, PoolOffer] = Field(default_factory=dict)
    """By NodePool name, those with GPUs first."""

    @property
    def gpu_pools(self) -> dict[str, PoolOffer]:
        """Those whose nodes have GPUs."""
        return {name: pool for name, pool in self.pools.items() if pool.gpus}

    @property
    def auto_mode(self) -> bool:
        """Whether AWS runs nodes, network, disks and load balancers."""
        return self.capacity == "autoMode"


def pool_offer(config: NodePoolConfig) -> PoolOffer:
    """What a pool of this configuration offers."""
    with_gpus = isinstance(config, GpuNodePoolConfig)
    return PoolOffer(
        gpus=with_gpus,
        largest_gpus=max((it.gpus for it in config.known_types().values()), default=None),
        static=config.static_nodes is not None,
        sharing=config.sharing if isinstance(config, GpuNodePoolConfig) else None,
        efa_types=config.instance_types if config.node_class.efa else (),
    )


def offer_of(config: "FoundationSection") -> Offer:
    """What the stack file's own ground offers."""
    eks = config.cluster.eks
    network = config.network or config.existing_network
    return Offer(
        capacity=eks.capacity if eks else None,
        kubernetes_version=eks.version if eks else None,
        network_cidr=network.cidr if network else None,
        subnets=eks is not None,
        repositories=config.image_registry.repositories if config.image_registry else (),
        buckets=tuple(config.object_storage.buckets) if config.object_storage else (),
        pools={
            name: pool_offer(pool)
            for name, pool in {**config.gpu_pools, **config.cpu_pools}.items()
        },
    )
