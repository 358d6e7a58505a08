"""The wiring of nodes: our own Karpenter beside managed nodes, or EKS Auto Mode."""

from typing import NamedTuple

import pulumi

from components.auto_mode import AutoModeNodes
from components.cilium import NOT_READY_TAINT, Cilium
from components.cluster import Cluster, EksConfig
from components.cluster_addons import (
    AFTER_NODES,
    AFTER_NODES_IN_AUTO_MODE,
    BEFORE_NODES,
    BEFORE_NODES_WITH_CILIUM,
    ClusterAddons,
)
from components.gpu_node_pool import NodePool
from components.karpenter import Karpenter
from components.node_pool import NodePoolConfig, TaintConfig
from components.ordering import after
from components.region import partition_of
from components.storage_class import AUTO_MODE_PROVISIONER, StorageClass
from components.system_nodes import SystemNodes
from infra.config import FoundationSection, given


class Place(NamedTuple):
    """What nodes are made in."""

    cluster: Cluster
    region: str
    account: pulumi.Input[str]
    subnet_ids: list[pulumi.Output[str]]
    routes: list[pulumi.Resource]
    """Nodes can't join before these exist."""
    in_cluster: pulumi.ResourceOptions


def capacity(config: FoundationSection, eks: EksConfig, place: Place) -> list[pulumi.Resource]:
    """Everything that must be there before an ordinary Pod finds a node, an address and a disk."""
    return _auto_mode(config, eks, place) if eks.auto_mode else _karpenter(config, eks, place)


def _karpenter(config: FoundationSection, eks: EksConfig, place: Place) -> list[pulumi.Resource]:
    system = _system(eks, place)
    karpenter = Karpenter(
        "karpenter",
        config=given(config.karpenter),
        cluster_name=place.cluster.cluster_name,
        cluster_endpoint=place.cluster.endpoint,
        region=place.region,
        account=place.account,
        opts=pulumi.ResourceOptions.merge(
            place.in_cluster, pulumi.ResourceOptions(depends_on=system)
        ),
    )
    pools = _pools(config, place, karpenter.node_role_name, karpenter.ready, auto_mode=False)
    return [*pools, *system]


def _auto_mode(config: FoundationSection, eks: EksConfig, place: Place) -> list[pulumi.Resource]:
    partition = partition_of(place.region)
    nodes = AutoModeNodes(
        "auto-mode-node",
        cluster_name=place.cluster.cluster_name,
        partition=partition,
        opts=place.in_cluster,
    )
    ready = [*nodes.ready, *place.routes]
    pools = _pools(config, place, nodes.node_role_name, ready, auto_mode=True)
    addons = ClusterAddons(
        "cluster-addons",
        addons=AFTER_NODES_IN_AUTO_MODE,
        cluster_name=after(place.cluster.cluster_name, pools),
        kubernetes_version=eks.version,
        partition=partition,
        opts=place.in_cluster,
    )
    storage = StorageClass("gp3", provisioner=AUTO_MODE_PROVISIONER, opts=place.in_cluster)
    return [*pools, *addons.addons, storage]


def _system(eks: EksConfig, place: Place) -> list[pulumi.Resource]:
    """Agents of each node, the system nodes, then what runs on them; Karpenter waits for all."""
    settings = {"kubernetes_version": eks.version, "partition": partition_of(place.region)}
    name = place.cluster.cluster_name
    cilium = eks.cni == "cilium"
    agents = ClusterAddons(
        "node-agents",
        addons=BEFORE_NODES_WITH_CILIUM if cilium else BEFORE_NODES,
        cluster_name=name,
        opts=place.in_cluster,
        **settings,
    )
    network: list[pulumi.Resource] = []
    if cilium:
        endpoint = place.cluster.endpoint
        network = Cilium(
            "cilium", cluster_name=name, endpoint=endpoint, opts=place.in_cluster
        ).ready
    nodes = SystemNodes(
        "system-nodes",
        config=given(eks.system_nodes),
        cluster_name=name,
        subnet_ids=place.subnet_ids,
        startup_taint=NOT_READY_TAINT if cilium else None,
        depends_on=[*agents.addons, *network, *place.routes],
        opts=place.in_cluster,
        **settings,
    )
    addons = ClusterAddons(
        "cluster-addons",
        addons=AFTER_NODES,
        cluster_name=after(name, [nodes.group]),
        opts=place.in_cluster,
        **settings,
    )
    storage = StorageClass("gp3", opts=place.in_cluster)
    return [nodes.group, *addons.addons, storage]


def _pools(
    config: FoundationSection,
    place: Place,
    node_role: pulumi.Input[str],
    depends_on: list[pulumi.Resource],
    *,
    auto_mode: bool,
) -> list[pulumi.Resource]:
    eks = config.cluster.eks
    cilium = eks is not None and eks.cni == "cilium"
    return [
        NodePool(
            name,
            config=_until_cilium_runs(pool) if cilium else pool,
            cluster=place.cluster.cluster_name,
            node_role=node_role,
            auto_mode=auto_mode,
            depends_on=depends_on,
            opts=place.in_cluster,
        )
        for name, pool in {**config.gpu_pools, **config.cpu_pools}.items()
    ]


def _until_cilium_runs(pool: NodePoolConfig) -> NodePoolConfig:
    """The pool whose nodes let no Pod in before Cilium's agent can give it an address."""
    taint = TaintConfig(key=NOT_READY_TAINT, effect="NoExecute")
    if taint in pool.startup_taints:
        return pool
    return pool.model_copy(update={"startup_taints": (*pool.startup_taints, taint)})
