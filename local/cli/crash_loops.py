"""Containers that crashed again and again wait for minutes; a new `make up` does not wait."""

from typing import Any

from local.kube import KubeClient

BACKING_OFF = "CrashLoopBackOff"
REPLACED_BY = ("ReplicaSet", "StatefulSet", "DaemonSet")
"""Kinds of controllers that make a deleted Pod again at once. A Job counts it as a failure."""


def backs_off(pod: dict[str, Any]) -> bool:
    """Whether a container of it waits before its next try."""
    status = pod.get("status") or {}
    statuses = [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]
    waiting = [(entry.get("state") or {}).get("waiting") or {} for entry in statuses]
    return any(entry.get("reason") == BACKING_OFF for entry in waiting)


def restart(client: KubeClient) -> list[str]:
    """Let the controllers make each Pod anew that waits so; the Pods' names."""
    waiting = [pod for pod in client.list("v1", "Pod") if backs_off(pod) and _is_replaced(pod)]
    for pod in waiting:
        client.delete("v1", "Pod", pod["metadata"]["name"], pod["metadata"]["namespace"])
    return [f"{pod['metadata']['namespace']}/{pod['metadata']['name']}" for pod in waiting]


def _is_replaced(pod: dict[str, Any]) -> bool:
    metadata = pod["metadata"]
    owners = metadata.get("ownerReferences") or []
    return not metadata.get("deletionTimestamp") and any(
        owner.get("controller") and owner["kind"] in REPLACED_BY for owner in owners
    )
