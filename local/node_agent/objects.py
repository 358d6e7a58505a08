"""Small readings of Kubernetes objects, shared by the agent's parts."""

from datetime import UTC, datetime
from typing import Any

Manifest = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name; the namespace is empty for cluster-scoped objects."""


def key_of(obj: Manifest) -> Key:
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def uid_of(obj: Manifest) -> str:
    return str(obj["metadata"]["uid"])


def named(obj: Manifest) -> str:
    """`namespace/name`, as messages name an object."""
    return "/".join(part for part in key_of(obj) if part)


def timestamp() -> str:
    """The present second as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def containers_of(pod: Manifest) -> list[Manifest]:
    return list(pod["spec"]["containers"])


def init_containers_of(pod: Manifest) -> list[Manifest]:
    return list(pod["spec"].get("initContainers") or [])


def is_sidecar(container: Manifest) -> bool:
    """Whether an init container is a native sidecar, which runs as long as its Pod."""
    return container.get("restartPolicy") == "Always"


def matches(selector: dict[str, str], labels: dict[str, str]) -> bool:
    """Whether `labels` satisfy a Service's selector; an empty selector matches nothing."""
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def port_number(container: Manifest, port: int | str) -> int:
    """The number of a container's port given by number or name; raises LookupError."""
    if isinstance(port, int):
        return port
    for declared in container.get("ports") or []:
        if declared.get("name") == port:
            return int(declared["containerPort"])
    if port.isdecimal():
        return int(port)
    raise LookupError(f"container {container['name']!r} declares no port named {port!r}")
