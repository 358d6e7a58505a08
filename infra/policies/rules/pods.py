"""Pods: what they may touch of their node, and what they ask of it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .rule import STRINGS, UNKNOWN, Finding, Resource, Rule, Setting, Settings, at, listed

TEMPLATES = {
    "Pod": ("spec",),
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
"""Kind to where its Pod's spec lies."""
WORKLOADS = ("kubernetes:core/v1:Pod", "kubernetes:apps/", "kubernetes:batch/")
HOST_NAMESPACES = ("hostNetwork", "hostPID", "hostIPC")


def pod_spec(resource: Resource) -> Mapping[str, Any]:
    """The spec of a workload's Pods; empty for everything else."""
    kind = resource.type.rpartition(":")[2]
    if not resource.type.startswith("kubernetes:") or kind not in TEMPLATES:
        return {}
    found = at(resource.props, *TEMPLATES[kind])
    return found if isinstance(found, Mapping) else {}


def containers(resource: Resource) -> Iterator[Mapping[str, Any]]:
    """Every container of its Pods, those that run first too."""
    spec = pod_spec(resource)
    for key in ("initContainers", "containers"):
        yield from (it for it in listed(spec.get(key)) if isinstance(it, Mapping))


def namespace(resource: Resource) -> Any:
    """Where an object lies; `default` when it does not say."""
    return at(resource.props, "metadata", "namespace") or "default"


def _touches(resource: Resource) -> Iterator[str]:
    spec = pod_spec(resource)
    for key in HOST_NAMESPACES:
        if spec.get(key) is True:
            yield f"{key} is true"
    for volume in listed(spec.get("volumes")):
        path = at(volume, "hostPath")
        if path is not None and path is not UNKNOWN:
            yield f"volume {at(volume, 'name')!r} is the node's {at(path, 'path')!r}"
    for container in containers(resource):
        if at(container, "securityContext", "privileged") is True:
            yield f"container {container.get('name')!r} is privileged"


def _privileges(resource: Resource, settings: Settings) -> Iterable[Finding]:
    if namespace(resource) in (*settings["namespaces"], UNKNOWN):
        return
    for what in _touches(resource):
        yield Finding(
            what,
            f"only in {', '.join(settings['namespaces']) or 'no namespace'}",
            "take it away, or name the namespace in the rule's configuration",
        )


def _resources(resource: Resource, settings: Settings) -> Iterable[Finding]:
    for container in containers(resource):
        missing = []
        for kind, of in (path.split(".", 1) for path in settings["required"]):
            if at(container, "resources", kind, of) is None:
                missing.append(f"{kind}.{of}")
        if missing:
            yield Finding(
                f"container {container.get('name')!r} has no {', '.join(missing)}",
                f"{', '.join(settings['required'])} in every container",
                "say what it needs",
            )


REQUIRED = ["requests.cpu", "requests.memory", "limits.memory"]
"""No limit of CPU: it would slow a Pod down beside an idle core."""

RULES = (
    Rule(
        "pod-privileges",
        "mandatory",
        "No Pod is privileged or touches its node, but in the namespaces that are for that.",
        _privileges,
        of=WORKLOADS,
        settings={"namespaces": Setting(STRINGS, "namespaces whose Pods may touch their node", [])},
    ),
    Rule(
        "container-resources",
        "mandatory",
        "Every container has requests and limits.",
        _resources,
        of=WORKLOADS,
        settings={"required": Setting(STRINGS, "what each container must state", REQUIRED)},
    ),
)
