"""Karpenter pools: GPU nodes for inference and ordinary nodes for the rest."""

from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pydantic import model_validator

from components.auto_mode import NODE_CLASS_GROUP, NODE_CLASS_KIND, auto_node_class_spec
from components.base import metadata
from components.gpu_resource import GPU_RESOURCE
from components.gpu_sharing import (
    PLUGIN_CONFIG_LABEL,
    GpuSharing,
    mig_user_data,
    overlay_manifests,
    sharing_problem,
)
from components.node_class import node_class_spec
from components.node_pool import EC2_NODE_CLASS, NodeClassKind, NodePoolConfig, node_pool_spec

AUTO_NODE_CLASS = NodeClassKind(NODE_CLASS_GROUP, NODE_CLASS_KIND)


class GpuNodePoolConfig(NodePoolConfig):
    """A pool whose nodes carry NVIDIA GPUs."""

    sharing: GpuSharing | None = None
    """How Pods share its GPUs; each Pod gets whole ones when left out."""

    @model_validator(mode="after")
    def _of_gpus(self) -> "GpuNodePoolConfig":
        if problems := gpu_problems(self):
            raise ValueError("; ".join(problems))
        return self


def gpu_problems(config: GpuNodePoolConfig) -> list[str]:
    """What of a GPU pool can't work, each with the way out."""
    found = [
        f"instanceTypes has '{name}', which has no NVIDIA GPU; move it to cpuPools"
        for name, facts in config.known_types().items()
        if facts.gpu is None
    ]
    if config.static_nodes is None:
        found += _limit_problems(config)
    if config.sharing and (problem := sharing_problem(config.sharing, config.instance_types)):
        found.append(f"sharing: {problem}")
    models = {facts.gpu for facts in config.known_types().values()}
    if config.sharing and config.sharing.mig_profile and len(models) > 1:
        found.append(
            f"sharing.migProfile: one pool has {sorted(str(it) for it in models)}, whose GPUs "
            "split differently; make a pool for each"
        )
    return found


def _limit_problems(config: GpuNodePoolConfig) -> list[str]:
    limit = config.limits.get(GPU_RESOURCE)
    if limit is None:
        return [f"limits must name '{GPU_RESOURCE}', the most GPUs this pool may buy"]
    if not limit.isdecimal():
        return [f"limits of '{GPU_RESOURCE}' is '{limit}'; allowed is a whole number of GPUs"]
    return [
        f"limits of '{GPU_RESOURCE}' is {limit}, fewer than one '{name}' has ({facts.gpus}), so it "
        "could never be bought; raise the limit or remove the type"
        for name, facts in config.known_types().items()
        if facts.gpus > int(limit)
    ]


def shared_limit(config: GpuNodePoolConfig) -> dict[str, str]:
    """The limit in GPUs once more in shares: nodes that share GPUs offer no whole ones."""
    if config.sharing is None or config.static_nodes is not None:
        return {}
    of_one = max(
        config.sharing.shares_of_a_gpu(it.gpu or "") for it in config.known_types().values()
    )
    return {config.sharing.resource: str(int(config.limits[GPU_RESOURCE]) * of_one)}


def pool_spec(config: NodePoolConfig, *, auto_mode: bool = False) -> dict[str, Any]:
    """Spec of the NodePool of either kind, with what the sharing of its GPUs asks for."""
    kind = AUTO_NODE_CLASS if auto_mode else EC2_NODE_CLASS
    if not isinstance(config, GpuNodePoolConfig) or config.sharing is None:
        return node_pool_spec(config, node_class=kind)
    return node_pool_spec(
        config,
        node_class=kind,
        labels={PLUGIN_CONFIG_LABEL: config.sharing.plugin_config},
        limits=shared_limit(config),
    )


def class_spec(
    config: NodePoolConfig, *, cluster: Any, node_role: Any, auto_mode: bool = False
) -> dict[str, Any]:
    """Spec of the node class under the pool."""
    if auto_mode:
        return auto_node_class_spec(config.node_class, cluster=cluster, node_role=node_role)
    known = list(config.known_types().values())
    user_data = None
    sharing = config.sharing if isinstance(config, GpuNodePoolConfig) else None
    if sharing and sharing.mig_profile:
        instances = sharing.shares_of_a_gpu(known[0].gpu or "")
        user_data = mig_user_data(sharing.mig_profile, instances=instances)
    return node_class_spec(
        config.node_class,
        cluster=cluster,
        node_role=node_role,
        efa_interfaces=known[0].efa_interfaces if known else 0,
        user_data=user_data,
    )


class NodePool(pulumi.ComponentResource):
    """One pool and the node class under it; the component's name is the NodePool's name."""

    pool_name: pulumi.Output[str]
    """Known once the pool exists; workloads pin to it by `karpenter.sh/nodepool`."""

    def __init__(
        self,
        name: str,
        *,
        config: NodePoolConfig,
        cluster: pulumi.Input[str],
        node_role: pulumi.Input[str],
        auto_mode: bool = False,
        depends_on: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`auto_mode`: the nodes are EKS's, not those of a Karpenter of our own."""
        super().__init__("agentic:capacity:NodePool", name, None, opts)
        kind = AUTO_NODE_CLASS if auto_mode else EC2_NODE_CLASS
        node_class = CustomResource(
            name,
            api_version=f"{kind.group}/v1",
            kind=kind.kind,
            metadata=metadata(config.node_class.name, component="capacity"),
            spec=class_spec(config, cluster=cluster, node_role=node_role, auto_mode=auto_mode),
            opts=pulumi.ResourceOptions(parent=self, depends_on=depends_on),
        )
        overlays: list[pulumi.Resource] = []
        if isinstance(config, GpuNodePoolConfig) and config.sharing is not None:
            overlays = [
                CustomResource(
                    overlay["metadata"]["name"],
                    api_version=overlay["apiVersion"],
                    kind=overlay["kind"],
                    metadata=overlay["metadata"],
                    spec=overlay["spec"],
                    opts=pulumi.ResourceOptions(parent=self, depends_on=depends_on),
                )
                for overlay in overlay_manifests(name, config.sharing, config.instance_types)
            ]
        pool = CustomResource(
            name,
            api_version="karpenter.sh/v1",
            kind="NodePool",
            metadata=metadata(name, component="capacity", until="Ready"),
            spec=pool_spec(config, auto_mode=auto_mode),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[node_class, *overlays]),
        )
        self.pool_name = pool.id.apply(lambda _: name)
        self.register_outputs({"pool_name": self.pool_name})
