"""One thing on AWS that no state has any more, and whose it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Fate = Literal["delete", "kept", "report"]
"""`delete`: the cluster's own, goes with `--delete`. `kept`: holds data, stays. `report`: somebody
has to look: it bears the stack's tags but not the cluster's, or something else still uses it."""

OWNED = "owned"
NAMED_KEYS = (
    "elbv2.k8s.aws/cluster",
    "aws:eks:cluster-name",
    "eks:eks-cluster-name",
    "eks:cluster-name",
    "cluster.k8s.amazonaws.com/name",
    "KubernetesCluster",
)
"""Tags whose value is the name of the cluster: of the AWS Load Balancer Controller, EKS, EKS Auto
Mode and Karpenter, managed node groups, VPC CNI, the EBS CSI driver."""


@dataclass(frozen=True)
class Leftover:
    """A resource; `id` is what its own API deletes it by."""

    kind: str
    """As in `infra.teardown.deletion.ORDER`."""
    id: str
    fate: Fate
    why: str
    """The tag or name that says whose it is, or why it stays."""
    name: str = ""
    usd_per_hour: float | None = None
    """Where a price list of ours has it."""


def tags_of(raw: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """`[{Key, Value}]` as a mapping."""
    return {str(it["Key"]): str(it["Value"]) for it in raw or ()}


def proof(tags: Mapping[str, str], cluster: str) -> str | None:
    """The tag that says the resource is this cluster's alone; None when no tag does.

    One that says so of another cluster outweighs all: things that clusters share are nobody's.
    """
    of_ours: list[str] = []
    of_others: list[str] = []
    for key, value in tags.items():
        owner = _named_in(key, value)
        if owner is not None:
            (of_ours if owner == cluster else of_others).append(f"{key}={value}")
    return None if of_others or not of_ours else sorted(of_ours)[0]


def _named_in(key: str, value: str) -> str | None:
    if key.startswith("kubernetes.io/cluster/"):
        # `shared` marks subnets and groups that a cluster may use and has not made.
        return key.removeprefix("kubernetes.io/cluster/") if value == OWNED else None
    return value if key in NAMED_KEYS else None
