"""Waiting until an object does its work, where somebody asked for it."""

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from local.standin.kubernetes.inputs import annotation
from local.standin.wire import Properties, plain

if TYPE_CHECKING:
    from local.kube import KubeClient

AWAIT = "AGENTIC_STANDIN_AWAIT"
SKIP = "pulumi.com/skipAwait"
TIMEOUT = "pulumi.com/timeoutSeconds"
WAIT_FOR = "pulumi.com/waitFor"
DEFAULT_SECONDS = 600.0
POLL_SECONDS = 0.2


def wanted(inputs: Properties, environment: Mapping[str, str] = os.environ) -> bool:
    """Off unless AGENTIC_STANDIN_AWAIT=1: `make up` waits by its own health table."""
    return environment.get(AWAIT) == "1" and annotation(plain(inputs), SKIP) != "true"


def awaited(client: "KubeClient", inputs: Properties, live: Properties) -> Properties:
    """The object once it is ready; raises TimeoutError with what it still lacks."""
    seconds = float(annotation(plain(inputs), TIMEOUT) or DEFAULT_SECONDS)
    metadata = live["metadata"]
    where = (live["apiVersion"], live["kind"], metadata["name"], metadata.get("namespace"))
    deadline = time.monotonic() + seconds
    while (lacking := missing(live)) is not None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{live['kind']} {metadata['name']}: after {seconds:g} s {lacking}")
        time.sleep(POLL_SECONDS)
        live = client.get(*where)
    return live


def missing(live: Properties) -> str | None:
    """What keeps it from being ready; None when nothing does, or the kind has no such notion."""
    status: dict[str, Any] = live.get("status") or {}
    spec: dict[str, Any] = live.get("spec") or {}
    kind = live.get("kind")
    if (wanted_for := annotation(live, WAIT_FOR)) is not None:
        return _without(wanted_for.removeprefix("condition="), status)
    if kind in ("Deployment", "StatefulSet", "ReplicaSet"):
        want, have = int(spec.get("replicas", 1)), int(status.get("readyReplicas", 0))
        observed = status.get("observedGeneration") == live["metadata"].get("generation")
        return None if observed and have >= want else f"{have} of {want} replicas are ready"
    if kind == "DaemonSet":
        want = int(status.get("desiredNumberScheduled", 0))
        have = int(status.get("numberReady", 0))
        observed = status.get("observedGeneration") == live["metadata"].get("generation")
        return None if observed and have >= want else f"{have} of {want} Pods are ready"
    if kind == "Job":
        return None if int(status.get("succeeded", 0)) else "it has not succeeded"
    if kind == "Pod":
        ready = [c for c in status.get("conditions") or [] if c["type"] == "Ready"]
        return None if ready and ready[0]["status"] == "True" else "it is not ready"
    if kind == "PersistentVolumeClaim":
        return None if status.get("phase") == "Bound" else "it is not bound"
    return None


def _without(condition: str, status: Mapping[str, Any]) -> str | None:
    """Of the annotation's forms only `condition=NAME[=VALUE]` is known here."""
    name, _, value = condition.partition("=")
    found = {each["type"]: each["status"] for each in status.get("conditions") or []}
    expected = value or "True"
    if found.get(name) == expected:
        return None
    return f"its condition {name} is {found.get(name, 'not there')}, not {expected}"
