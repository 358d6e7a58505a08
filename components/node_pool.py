"""Karpenter capacity: an EC2NodeClass and the NodePool that draws on it."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, StringConstraints

from components.base import ConfigModel
from components.resource_quota import Quantity
from components.versions import NODE_AMI

INSTANCE_TYPE = "node.kubernetes.io/instance-type"
CAPACITY_TYPE = "karpenter.sh/capacity-type"
ARCHITECTURE = "kubernetes.io/arch"
DISCOVERY_TAG = "karpenter.sh/discovery"
NODE_CLASS_GROUP = "karpenter.k8s.aws"

InstanceType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$")]
Duration = Annotated[str, StringConstraints(pattern=r"^([0-9]+(s|m|h))+$")]
NodeShare = Annotated[str, StringConstraints(pattern=r"^((100|[0-9]{1,2})%|[0-9]+)$")]


class TaintConfig(ConfigModel):
    """Keeps Pods away that don't tolerate it."""

    key: str
    """What a toleration names."""
    value: str = "true"
    """What a toleration may compare with."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"
    """Whether Pods are kept off, rather kept off, or also evicted."""


class BudgetConfig(ConfigModel):
    """How many nodes may be disrupted at once."""

    nodes: NodeShare
    """A count, or a percentage of the pool that is rounded up."""
    schedule: str | None = None
    """Cron expression (UTC) at which the budget begins to apply; always when left out."""
    duration: Duration | None = None
    """How long it applies from then on."""


class DisruptionConfig(ConfigModel):
    """When Karpenter may replace or remove a node that still works."""

    policy: Literal["WhenEmpty", "WhenEmptyOrUnderutilized"]
    """Only empty nodes, or also those whose Pods fit elsewhere for less."""
    consolidate_after: Duration
    """How long a node must have been quiet."""
    budgets: tuple[BudgetConfig, ...] = Field(min_length=1)
    """The strictest one that applies counts."""


class DiskConfig(ConfigModel):
    """The root volume of a node (gp3)."""

    gib: PositiveInt
    """Size; model weights and images lie here."""
    iops: int = Field(ge=3000, le=16000)
    """Operations a second; 3000 are free."""
    throughput_mbps: int = Field(ge=125, le=1000)
    """MiB a second; 125 are free."""


class NodeClassConfig(ConfigModel):
    """The machine under the nodes of one pool."""

    name: str = Field(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")
    """Name of the EC2NodeClass."""
    ami_alias: str = Field(pattern=r"^(pinned|al2023@(latest|v\d{8}))$")
    """`pinned` is the image of `components/versions.py`; `al2023@latest` follows AWS and replaces
    nodes whenever AWS publishes an image."""
    disk: DiskConfig
    """The root volume."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Tags of instances and volumes."""


class NodePoolConfig(ConfigModel):
    """What a stack decides about one pool."""

    instance_types: tuple[InstanceType, ...] = Field(min_length=1)
    """EC2 types that Karpenter may choose from."""
    capacity_types: tuple[Literal["on-demand", "spot", "reserved"], ...] = Field(min_length=1)
    """Ways to buy them; reserved capacity is used first, then spot."""
    architecture: Literal["amd64", "arm64"] = "amd64"
    """CPU architecture of the nodes."""
    limits: dict[str, Quantity] = Field(min_length=1)
    """The most that all nodes of the pool together may hold, by resource; a pool without a limit
    is a bill without one."""
    disruption: DisruptionConfig
    """When nodes may go."""
    node_class: NodeClassConfig
    """The machine under the nodes."""
    taints: tuple[TaintConfig, ...] = ()
    """Keep Pods away that don't tolerate them."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels of the pool's nodes."""
    weight: int | None = Field(default=None, ge=1, le=100)
    """A heavier pool is tried first."""
    expire_after: Duration = "720h"
    """A node older than this is replaced."""


def node_class_spec(config: NodeClassConfig, *, cluster: Any, node_role: Any) -> dict[str, Any]:
    """Spec of the EC2NodeClass: image, network by discovery tag, encrypted disk, IMDSv2 only."""
    discovery = [{"tags": {DISCOVERY_TAG: cluster}}]
    alias = NODE_AMI if config.ami_alias == "pinned" else config.ami_alias
    disk = {
        "volumeSize": f"{config.disk.gib}Gi",
        "volumeType": "gp3",
        "iops": config.disk.iops,
        "throughput": config.disk.throughput_mbps,
        "encrypted": True,
        "deleteOnTermination": True,
    }
    return {
        "role": node_role,
        "amiSelectorTerms": [{"alias": alias}],
        "subnetSelectorTerms": discovery,
        "securityGroupSelectorTerms": discovery,
        "blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": disk}],
        "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
        "tags": dict(config.tags),
    }


def requirements(config: NodePoolConfig) -> list[dict[str, Any]]:
    """What an instance must be, in the author's order of values."""
    wanted = {
        INSTANCE_TYPE: config.instance_types,
        CAPACITY_TYPE: config.capacity_types,
        ARCHITECTURE: (config.architecture,),
    }
    return [{"key": key, "operator": "In", "values": [*values]} for key, values in wanted.items()]


def disruption_spec(config: DisruptionConfig) -> dict[str, Any]:
    """`spec.disruption` of the NodePool."""
    return {
        "consolidationPolicy": config.policy,
        "consolidateAfter": config.consolidate_after,
        "budgets": [
            budget.model_dump(by_alias=True, exclude_none=True) for budget in config.budgets
        ],
    }


def node_pool_spec(config: NodePoolConfig) -> dict[str, Any]:
    """Spec of the NodePool."""
    reference = {
        "group": NODE_CLASS_GROUP,
        "kind": "EC2NodeClass",
        "name": config.node_class.name,
    }
    node: dict[str, Any] = {
        "nodeClassRef": reference,
        "requirements": requirements(config),
        "expireAfter": config.expire_after,
    }
    if config.taints:
        node["taints"] = [taint.model_dump() for taint in config.taints]
    template: dict[str, Any] = {"spec": node}
    if config.labels:
        template["metadata"] = {"labels": dict(config.labels)}
    spec: dict[str, Any] = {
        "template": template,
        "limits": dict(config.limits),
        "disruption": disruption_spec(config.disruption),
    }
    return spec if config.weight is None else spec | {"weight": config.weight}
