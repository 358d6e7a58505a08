"""A small managed node group for what must run before Karpenter can: DNS, CSI, Karpenter."""

from collections.abc import Sequence

import pulumi
from pulumi_aws import eks
from pydantic import Field, PositiveInt, model_validator

from components.base import ConfigModel
from components.node_role import NodeRole

TAINT_KEY = "CriticalAddonsOnly"


class SystemNodesConfig(ConfigModel):
    """Size of the managed node group."""

    instance_types: tuple[str, ...] = Field(min_length=1)
    """Any of these, in order of preference."""
    min_size: PositiveInt
    """Two keep DNS and Karpenter alive while one node is replaced."""
    max_size: PositiveInt
    """Upper bound of the group."""
    disk_gib: int = Field(default=50, ge=20)
    """Root volume of each node."""

    @model_validator(mode="after")
    def _ordered(self) -> "SystemNodesConfig":
        if self.min_size > self.max_size:
            raise ValueError(
                f"a maxSize ({self.max_size}) not below minSize ({self.min_size}); change one"
            )
        return self


def node_taints(startup_taint: str | None) -> list[dict[str, str]]:
    """Only Pods that tolerate `CriticalAddonsOnly` enter."""
    taints = [{"key": TAINT_KEY, "value": "true", "effect": "NO_SCHEDULE"}]
    if startup_taint is not None:
        taints.append({"key": startup_taint, "value": "true", "effect": "NO_EXECUTE"})
    return taints


class SystemNodes(pulumi.ComponentResource):
    """Managed nodes that only tolerating Pods enter, so that no add-on can starve Karpenter."""

    group: pulumi.Resource
    """What needs nodes (CoreDNS, Karpenter) depends on this."""

    def __init__(
        self,
        name: str,
        *,
        config: SystemNodesConfig,
        cluster_name: pulumi.Input[str],
        kubernetes_version: str,
        partition: str,
        subnet_ids: Sequence[pulumi.Input[str]],
        startup_taint: str | None = None,
        depends_on: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`startup_taint` keeps Pods away until the network's agent takes it off the node."""
        super().__init__("agentic:cluster:SystemNodes", name, None, opts)
        role = NodeRole(
            f"{name}-role", partition=partition, opts=pulumi.ResourceOptions(parent=self)
        )
        self.group = eks.NodeGroup(
            name,
            cluster_name=cluster_name,
            node_role_arn=role.arn,
            subnet_ids=subnet_ids,
            version=kubernetes_version,
            ami_type="AL2023_x86_64_STANDARD",
            capacity_type="ON_DEMAND",
            instance_types=[*config.instance_types],
            disk_size=config.disk_gib,
            labels={"agentic.dev/pool": "system"},
            taints=node_taints(startup_taint),
            scaling_config={
                "min_size": config.min_size,
                "max_size": config.max_size,
                "desired_size": config.min_size,
            },
            update_config={"max_unavailable": 1},
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*role.attachments, *depends_on],
                # Whoever scales the group by hand in an incident is not undone by the next update.
                ignore_changes=["scalingConfig.desiredSize"],
            ),
        )
        self.register_outputs({})
