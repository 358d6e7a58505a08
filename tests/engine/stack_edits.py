"""One edit of each kind of data in a stack file, and the only steps that it may cause."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.infra.platforms import AUTO_MODE

GPU_POOL = "gpu-inference-pool"


class Edit(NamedTuple):
    """A change of the platform's data; steps are `<operation> <kind> <name>`."""

    change: Callable[[dict[str, Any]], None]
    steps: tuple[str, ...]


def _gpu_limit(data: dict[str, Any]) -> None:
    data["gpuPools"][GPU_POOL]["limits"]["nvidia.com/gpu"] = "72"


def _node_disk(data: dict[str, Any]) -> None:
    data["cpuPools"]["general-pool"]["nodeClass"]["disk"]["gib"] += 50


def _weights(data: dict[str, Any]) -> None:
    primary, canary = data["gateway"]["models"][0]["backends"]
    primary["weight"], canary["weight"] = 50, 50


def _chart_value(data: dict[str, Any]) -> None:
    data["autoscalingOperator"]["replicas"] += 1


def _controller(data: dict[str, Any]) -> None:
    data["karpenter"]["replicas"] += 1


def _group_of_viewers(data: dict[str, Any]) -> None:
    data["accessControl"]["viewerGroups"] += ["auditors"]


def _lifecycle(data: dict[str, Any]) -> None:
    data["objectStorage"]["buckets"]["artifacts"]["expireDays"] += 1


def _scaler(data: dict[str, Any]) -> None:
    data["scalers"]["agent-scaler"]["maxReplicas"] += 1


def _tenant(data: dict[str, Any]) -> None:
    data["tenants"] = {"tenant-b": {}}


COMMON: dict[str, Edit] = {
    "the limit of a pool": Edit(_gpu_limit, (f"update NodePool {GPU_POOL}",)),
    "a node's disk": Edit(_node_disk, ("update EC2NodeClass general-pool",)),
    "weights of a route": Edit(_weights, ("update HTTPRoute gateway-route",)),
    "a chart's value": Edit(_chart_value, ("update Release keda",)),
    "the node autoscaler": Edit(_controller, ("update Release karpenter",)),
    "who may look": Edit(_group_of_viewers, ("update RoleBinding access-control-agent-viewer",)),
    "how long artifacts stay": Edit(
        _lifecycle, ("update BucketLifecycleConfiguration storage-artifacts",)
    ),
    "an agent's scaling": Edit(_scaler, ("update ScaledObject agent-scaler-scaler",)),
    "a tenant": Edit(
        _tenant,
        (
            "create Tenant tenant-b",
            "create Namespace tenant-b",
            "create ResourceQuota tenant-b-tenant-b-quota",
            "create LimitRange tenant-b-container-defaults",
            "create NetworkPolicy tenant-b-tenant-isolation",
            "create NetworkPolicy tenant-b-platform-access",
            "create Role tenant-b-agent-operator",
            "create Role tenant-b-agent-viewer",
        ),
    ),
}
AUTO: dict[str, Edit] = {
    name: edit for name, edit in COMMON.items() if name != "the node autoscaler"
} | {"a node's disk": Edit(_node_disk, ("update NodeClass general-pool",))}
EDITS: Mapping[str, Mapping[str, Edit]] = {"dev": COMMON, "prod": COMMON, AUTO_MODE: AUTO}


def apply_edits(stack: str, data: dict[str, Any]) -> dict[str, Any]:
    """The data with every edit of that stack in it."""
    for edit in EDITS[stack].values():
        edit.change(data)
    return data


def expected_steps(stack: str) -> list[str]:
    """Every step that the edits together may take, sorted."""
    return sorted(step for edit in EDITS[stack].values() for step in edit.steps)
