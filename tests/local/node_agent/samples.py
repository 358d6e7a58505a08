"""Small Kubernetes objects for the node agent's unit tests."""

import base64
from typing import Any

from local.node_agent.sources import NodeFacts, Sources

Manifest = dict[str, Any]
NODE = NodeFacts("local", "127.64.0.1", {"cpu": "2", "memory": "4096Mi"})


def container(name: str = "main", **spec: Any) -> Manifest:
    return {"name": name, "image": "process.local/x:1", "command": ["true"]} | spec


def pod(*containers: Manifest, name: str = "web-0", **spec: Any) -> Manifest:
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "labels": {"app": "web", "tier": 'a"b'},
            "annotations": {"note": "line1\nline2"},
        },
        "spec": {"containers": list(containers) or [container()], "nodeName": "local"} | spec,
        "status": {},
    }


def config_map(**data: str) -> Manifest:
    return {"data": data}


def secret(**data: str) -> Manifest:
    return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}}


def sources(
    of: Manifest | None = None,
    *,
    config_maps: dict[str, Manifest] | None = None,
    secrets: dict[str, Manifest] | None = None,
) -> Sources:
    return Sources(
        pod=of or pod(),
        pod_ip="127.128.0.7",
        node=NODE,
        config_map=lambda _namespace, name: (config_maps or {}).get(name),
        secret=lambda _namespace, name: (secrets or {}).get(name),
    )
