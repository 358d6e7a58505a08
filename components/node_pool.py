"""Karpenter capacity: what nodes a NodePool may buy, and when it may give them back."""

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, StringConstraints, model_validator

from components.base import ConfigModel
from components.node_class import DISCOVERY_TAG as DISCOVERY_TAG
from components.node_class import NodeClassConfig as NodeClassConfig
from components.resource_quota import Quantity
from inference.instances import InstanceFacts, instance_table

INSTANCE_TYPE = "node.kubernetes.io/instance-type"
CAPACITY_TYPE = "karpenter.sh/capacity-type"
ARCHITECTURE = "kubernetes.io/arch"
ZONE = "topology.kubernetes.io/zone"
RESERVATION_TYPE = "karpenter.k8s.aws/capacity-reservation-type"


class NodeClassKind(NamedTuple):
    """Which kind of node class a pool refers to."""

    group: str
    kind: str


EC2_NODE_CLASS = NodeClassKind("karpenter.k8s.aws", "EC2NodeClass")
"""Of our own Karpenter; EKS Auto Mode has another one."""

InstanceType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$")]
Zone = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$")]
Duration = Annotated[str, StringConstraints(pattern=r"^([0-9]+(s|m|h))+$")]
BudgetDuration = Annotated[str, StringConstraints(pattern=r"^([0-9]+(h|m)|[0-9]+h[0-9]+m)$")]
Schedule = Annotated[
    str,
    StringConstraints(
        pattern=r"^(@(annually|yearly|monthly|weekly|daily|midnight|hourly)|(\S+\s){4}\S+)$"
    ),
]
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
    reasons: tuple[Literal["Underutilized", "Empty", "Drifted"], ...] = ()
    """Kinds of disruption that it bounds; all of them when left out."""
    schedule: Schedule | None = None
    """Cron expression (UTC) at which the budget begins to apply; always when left out."""
    duration: BudgetDuration | None = None
    """How long it applies from then on, in hours and minutes; needed with a schedule."""

    @model_validator(mode="after")
    def _both_or_neither(self) -> "BudgetConfig":
        if (self.schedule is None) != (self.duration is None):
            raise ValueError(
                "schedule and duration go together: a start without a length bounds nothing; "
                "give both, or neither for a budget that always applies"
            )
        return self


class DisruptionConfig(ConfigModel):
    """When Karpenter may replace or remove a node that still works."""

    policy: Literal["WhenEmpty", "WhenEmptyOrUnderutilized", "Balanced"]
    """Only empty nodes, or also those whose Pods fit elsewhere for less (`Balanced` weighs what is
    saved against how many Pods move)."""
    consolidate_after: Duration
    """How long a node must have been quiet."""
    budgets: tuple[BudgetConfig, ...] = Field(min_length=1)
    """The strictest one that applies counts."""


class NodePoolConfig(ConfigModel):
    """What a stack decides about one pool."""

    instance_types: tuple[InstanceType, ...] = Field(min_length=1)
    """EC2 types that Karpenter may choose from."""
    capacity_types: tuple[Literal["on-demand", "spot", "reserved"], ...] = Field(min_length=1)
    """Ways to buy them; reserved capacity is used first, then spot, then on-demand."""
    reservation_types: tuple[Literal["default", "capacity-block"], ...] = ()
    """Of `reserved` capacity only these kinds; both when left out."""
    zones: tuple[Zone, ...] = ()
    """Only in these zones: a reservation lies in one. All zones of the network when left out."""
    architecture: Literal["amd64", "arm64"] = "amd64"
    """CPU architecture of the nodes."""
    limits: dict[str, Quantity] = Field(min_length=1)
    """The most that all nodes of the pool together may hold, by resource; a pool without a limit
    is a bill without one."""
    static_nodes: int | None = Field(default=None, ge=0)
    """Keep exactly so many nodes, whatever Pods ask for; the limit is then one of `nodes`."""
    disruption: DisruptionConfig
    """When nodes may go."""
    node_class: NodeClassConfig
    """The machine under the nodes."""
    taints: tuple[TaintConfig, ...] = ()
    """Keep Pods away that don't tolerate them."""
    startup_taints: tuple[TaintConfig, ...] = ()
    """Taints that an agent on the node takes away when it is ready."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels of the pool's nodes."""
    weight: int | None = Field(default=None, ge=1, le=100)
    """A heavier pool is tried first."""
    expire_after: Duration = "720h"
    """A node older than this is replaced."""
    termination_grace_period: Duration | None = None
    """How long a node that must go waits for its Pods; after that they are killed."""

    @model_validator(mode="after")
    def _consistent(self) -> "NodePoolConfig":
        if problems := pool_problems(self):
            raise ValueError("; ".join(problems))
        return self

    def known_types(self) -> dict[str, InstanceFacts]:
        """Facts about those of its types that the table knows."""
        types = instance_table().types
        return {name: types[name] for name in self.instance_types if name in types}


def pool_problems(config: NodePoolConfig) -> list[str]:
    """What of one pool contradicts itself, each with the way out."""
    found = []
    reserved, reservations = "reserved" in config.capacity_types, config.node_class.reservations
    if reserved and not reservations:
        found.append(
            "capacityTypes has 'reserved' without nodeClass.reservations; name the reservations "
            "or remove 'reserved'"
        )
    if reservations and not reserved:
        found.append(
            "nodeClass.reservations are never used without capacityTypes 'reserved', and still "
            "billed; add 'reserved' or remove them"
        )
    if config.reservation_types and not reserved:
        found.append("reservationTypes need capacityTypes 'reserved'; add it or remove them")
    found += _static_problems(config)
    for name, facts in config.known_types().items():
        if facts.architecture != config.architecture:
            found.append(
                f"instanceTypes has '{name}', which is {facts.architecture}; "
                f"architecture is '{config.architecture}'; put it into a pool of its own"
            )
    adapters = {facts.efa_interfaces for facts in config.known_types().values()}
    if config.node_class.efa and (len(adapters) != 1 or 0 in adapters):
        found.append(
            "nodeClass.efa needs instanceTypes that all have the same number of EFA interfaces "
            f"(inference/instances.json); these have {sorted(adapters)}; split the pool"
        )
    return found


def _static_problems(config: NodePoolConfig) -> list[str]:
    if config.static_nodes is None:
        return []
    found = []
    if set(config.limits) != {"nodes"}:
        found.append("staticNodes allows limits of 'nodes' only; Karpenter refuses others")
    elif int(config.limits["nodes"]) < config.static_nodes:
        found.append(
            f"staticNodes is {config.static_nodes}, above the limit of {config.limits['nodes']} "
            "nodes; raise limits.nodes"
        )
    if config.weight is not None:
        found.append("weight has no meaning with staticNodes; remove one of them")
    return found


def requirements(config: NodePoolConfig) -> list[dict[str, Any]]:
    """What an instance must be, in the author's order of values."""
    wanted = {
        INSTANCE_TYPE: config.instance_types,
        CAPACITY_TYPE: config.capacity_types,
        ARCHITECTURE: (config.architecture,),
        ZONE: config.zones,
        RESERVATION_TYPE: config.reservation_types,
    }
    return [
        {"key": key, "operator": "In", "values": [*values]}
        for key, values in wanted.items()
        if values
    ]


def disruption_spec(config: DisruptionConfig) -> dict[str, Any]:
    """`spec.disruption` of the NodePool."""
    return {
        "consolidationPolicy": config.policy,
        "consolidateAfter": config.consolidate_after,
        "budgets": [
            {key: value for key, value in budget.model_dump(mode="json").items() if value}
            for budget in config.budgets
        ],
    }


def node_pool_spec(
    config: NodePoolConfig,
    *,
    node_class: NodeClassKind = EC2_NODE_CLASS,
    labels: dict[str, str] | None = None,
    limits: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Spec of the NodePool; `labels` and `limits` come on top of the stack's own."""
    node: dict[str, Any] = {
        "nodeClassRef": {
            "group": node_class.group,
            "kind": node_class.kind,
            "name": config.node_class.name,
        },
        "requirements": requirements(config),
        "expireAfter": config.expire_after,
    }
    for key, taints in (("taints", config.taints), ("startupTaints", config.startup_taints)):
        if taints:
            node[key] = [taint.model_dump() for taint in taints]
    if config.termination_grace_period is not None:
        node["terminationGracePeriod"] = config.termination_grace_period
    template: dict[str, Any] = {"spec": node}
    if all_labels := {**config.labels, **(labels or {})}:
        template["metadata"] = {"labels": all_labels}
    spec: dict[str, Any] = {
        "template": template,
        "limits": {**config.limits, **(limits or {})},
        "disruption": disruption_spec(config.disruption),
    }
    if config.static_nodes is not None:
        spec["replicas"] = config.static_nodes
    return spec if config.weight is None else spec | {"weight": config.weight}
