"""Work that asks for nodes: Deployments of Pods that do nothing, and tasks in a list."""

from collections.abc import Mapping
from typing import Any

import redis

from local.kube import Manifest

PASSWORD = "of-the-scaling-tests"
PLAIN_PORT = 6378
"""Where the store listens without TLS, for the tests alone."""
GPU = "nvidia.com/gpu"
PAUSE = "registry.k8s.io/pause:3.10"


def gpu_pods(name: str, namespace: str, count: int, *, node_labels: Mapping[str, str]) -> Manifest:
    """`count` Pods of one GPU each, on nodes with these labels."""
    labels = {"app": name}
    resources = {"cpu": "500m", "memory": "1Gi", GPU: "1"}
    container: dict[str, Any] = {
        "name": "load",
        "image": PAUSE,
        "resources": {"requests": resources, "limits": resources},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    pod = {
        "nodeSelector": dict(node_labels),
        "tolerations": [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}],
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def put_tasks(queue: str, count: int) -> None:
    """Append `count` tasks to the Redis list, or with 0 empty it."""
    with redis.Redis(host="127.0.0.1", port=PLAIN_PORT, password=PASSWORD) as server:
        if count:
            server.rpush(queue, *[f"task-{number}" for number in range(count)])
        else:
            server.delete(queue)
