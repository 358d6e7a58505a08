"""Karpenter pools: GPU nodes for inference and ordinary nodes for the rest."""

from collections.abc import Sequence

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pydantic import model_validator

from components.base import metadata
from components.node_pool import NodePoolConfig, node_class_spec, node_pool_spec

GPU_RESOURCE = "nvidia.com/gpu"


class GpuNodePoolConfig(NodePoolConfig):
    """A pool whose nodes carry NVIDIA GPUs."""

    @model_validator(mode="after")
    def _bounded(self) -> "GpuNodePoolConfig":
        if GPU_RESOURCE not in self.limits:
            raise ValueError(f"limits must name '{GPU_RESOURCE}', the most GPUs this pool may buy")
        return self


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
        depends_on: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:capacity:NodePool", name, None, opts)
        node_class = CustomResource(
            name,
            api_version="karpenter.k8s.aws/v1",
            kind="EC2NodeClass",
            metadata=metadata(config.node_class.name, component="capacity"),
            spec=node_class_spec(config.node_class, cluster=cluster, node_role=node_role),
            opts=pulumi.ResourceOptions(parent=self, depends_on=depends_on),
        )
        pool = CustomResource(
            name,
            api_version="karpenter.sh/v1",
            kind="NodePool",
            metadata=metadata(name, component="capacity"),
            spec=node_pool_spec(config),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[node_class]),
        )
        self.pool_name = pool.id.apply(lambda _: name)
        self.register_outputs({"pool_name": self.pool_name})
