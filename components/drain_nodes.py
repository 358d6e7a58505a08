"""What Karpenter answers for; the decision before it goes."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from components.drain import Kind, Listed, Manifest, Step, Surroundings, going, sorted_out

GROUP = "karpenter.k8s.aws"
"""Of the node classes of a Karpenter of our own."""
AUTO_MODE_GROUP = "eks.amazonaws.com"
"""Of those of EKS Auto Mode, which are AWS's to delete."""
NODE_POOL = Kind("karpenter.sh/v1", "NodePool", "nodepools")
NODE_CLAIM = Kind("karpenter.sh/v1", "NodeClaim", "nodeclaims")
NODE_CLASS = Kind(f"{GROUP}/v1", "EC2NodeClass", "ec2nodeclasses")
KINDS = (NODE_POOL, NODE_CLAIM, NODE_CLASS)
POOL_LABEL = "karpenter.sh/nodepool"
DEADLINE = "karpenter.sh/nodeclaim-termination-timestamp"
"""Annotation after whose time Karpenter drains a node in spite of do-not-disrupt and budgets: the
one that it writes itself for `terminationGracePeriod` (pkg/controllers/node/termination)."""
WAY_OUT = "see Karpenter's log in kube-system and the events of the node"


def deadline_patch(now: datetime, drain: timedelta) -> dict[str, Any]:
    """A merge patch that bounds the drain of a node; `now` in UTC."""
    text = (now + drain).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"metadata": {"annotations": {DEADLINE: text}}}


def without_deadline(claims: tuple[Manifest, ...]) -> list[Manifest]:
    """The claims whose drain nothing bounds so far."""
    return [it for it in claims if DEADLINE not in (it["metadata"].get("annotations") or {})]


def claims_of_pool(claims: tuple[Manifest, ...], pool: str) -> tuple[Manifest, ...]:
    """The nodes that one pool bought."""
    return tuple(it for it in claims if _label(it, POOL_LABEL) == pool)


def _label(obj: Manifest, key: str) -> str:
    return str((obj["metadata"].get("labels") or {}).get(key, ""))


def _class_group(spec: Mapping[str, Any]) -> str:
    return str((spec.get("nodeClassRef") or {}).get("group", ""))


def node_step(
    listed: Listed, around: Surroundings, *, group: str, now: datetime, drain: timedelta
) -> Step:
    """Pools of `group` go, then their nodes, then the node classes and with them what they made.

    A node whose pool still lives would be bought again, so it goes only after the pool. Every node
    gets a deadline for its drain.
    """
    pools = [
        (NODE_POOL, it)
        for it in listed.get(NODE_POOL, ())
        if _class_group(it["spec"]["template"]["spec"]) == group
    ]
    claims = [
        (NODE_CLAIM, it)
        for it in listed.get(NODE_CLAIM, ())
        if _class_group(it.get("spec") or {}) == group
    ]
    classes = [(NODE_CLASS, it) for it in listed.get(NODE_CLASS, ())] if group == GROUP else []
    free, refused = sorted_out([*pools, *classes], around)
    left = (*pools, *claims, *classes)
    if refused:
        return Step(left=left, refused=tuple(refused))
    # Pools have no finalizer: one that is going is a moment from gone.
    delete = [it for it in free if it[0] is NODE_POOL]
    if not pools:
        delete = [it for it in claims if not going(it[1])]
    if not pools and not claims:
        delete = [it for it in free if it[0] is NODE_CLASS]
    bounded = deadline_patch(now, drain)
    unbounded = without_deadline(tuple(it for _, it in claims))
    return Step(
        left=left,
        delete=tuple(delete),
        patch=tuple((NODE_CLAIM, it, bounded) for it in unbounded),
    )
