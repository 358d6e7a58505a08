"""A single process that keeps its data on a volume: the embedded variant of a data service.

Its image names no container image but a process that the local node agent starts.
"""

from typing import Any

from pulumi import ComponentResource, Input, Output, ResourceOptions

from components.base import ConfigModel, metadata
from components.kubernetes_object import kubernetes_object
from components.ordering import after
from components.pod_security import restricted_container, restricted_pod
from components.resource_quota import Quantity

DATA_DIRECTORY = "/data"


class ProcessResources(ConfigModel):
    """Requests of one embedded process; it gets no CPU limit, and twice its memory as the limit."""

    cpu: Quantity = "50m"
    """CPU request."""
    memory: Quantity = "128Mi"
    """Memory request."""
    memory_limit: Quantity = "512Mi"
    """Memory limit."""


class EmbeddedProcess(ConfigModel):
    """What differs between the embedded services."""

    service: str
    """Name of Deployment, Service and claim."""
    layer: str
    """Value of the component label."""
    image: str
    """What the node agent must know how to run."""
    module: str
    """Python module that is the process; it gets `--host` and `--port`."""
    port: int
    """Port of Pod and Service alike."""
    arguments: tuple[str, ...] = ()
    """Further arguments."""
    ready_path: str | None = None
    """HTTP path that answers 200 when ready; without one an open port is enough."""
    disk: Quantity = "1Gi"
    """Size of the volume mounted at `/data`."""
    resources: ProcessResources = ProcessResources()
    """What the scheduler sets aside."""


def claim_manifest(process: EmbeddedProcess, *, namespace: Any) -> dict[str, Any]:
    """The volume that outlives the Pod."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(process.service, component=process.layer, namespace=namespace),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": process.disk}},
        },
    }


def service_manifest(process: EmbeddedProcess, *, namespace: Any) -> dict[str, Any]:
    """The address of the process inside the cluster."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(process.service, component=process.layer, namespace=namespace),
        "spec": {
            "selector": _selector(process),
            "ports": [{"name": "main", "port": process.port, "targetPort": "main"}],
        },
    }


def deployment_manifest(
    process: EmbeddedProcess,
    *,
    namespace: Any,
    volumes: list[dict[str, Any]] | None = None,
    mounts: list[dict[str, Any]] | None = None,
    annotations: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One replica that is stopped before its successor starts: two would fight over the data."""
    container = {
        "name": process.service,
        "image": process.image,
        "command": ["python", "-m", process.module],
        "args": ["--host", "$(POD_IP)", "--port", str(process.port), *process.arguments],
        "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "ports": [{"name": "main", "containerPort": process.port}],
        "readinessProbe": _probe(process),
        "resources": {
            "requests": {"cpu": process.resources.cpu, "memory": process.resources.memory},
            "limits": {"memory": process.resources.memory_limit},
        },
        "securityContext": restricted_container(),
        "volumeMounts": [{"name": "data", "mountPath": DATA_DIRECTORY}, *(mounts or [])],
    }
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": process.service}}
    pod = {
        # Each of them holds state that others ask for.
        "priorityClassName": "agentic-data",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": restricted_pod(),
        "terminationGracePeriodSeconds": 15,
        "containers": [container],
        "volumes": [claim, *(volumes or [])],
    }
    about = metadata(process.service, component=process.layer, namespace=namespace)
    template: dict[str, Any] = {"labels": about["labels"]}
    if annotations:
        template["annotations"] = annotations
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": about,
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": _selector(process)},
            "template": {"metadata": template, "spec": pod},
        },
    }


def _selector(process: EmbeddedProcess) -> dict[str, str]:
    return {"app.kubernetes.io/name": process.service}


def _probe(process: EmbeddedProcess) -> dict[str, Any]:
    timing = {"periodSeconds": 2, "timeoutSeconds": 2, "failureThreshold": 3}
    if process.ready_path is None:
        return {"tcpSocket": {"port": "main"}} | timing
    return {"httpGet": {"path": process.ready_path, "port": "main"}} | timing


def make_embedded_process(
    name: str,
    process: EmbeddedProcess,
    *,
    namespace: Input[str],
    parent: ComponentResource,
    protect: bool = False,
    volumes: list[dict[str, Any]] | None = None,
    mounts: list[dict[str, Any]] | None = None,
    annotations: dict[str, Any] | None = None,
) -> Output[str]:
    """Claim, Deployment and Service under `parent`; returns the host name of the Service."""
    # Nothing waits for the claim: a storage class may bind it only when a Pod asks for it.
    kubernetes_object(
        name,
        claim_manifest(process, namespace=namespace),
        opts=ResourceOptions(parent=parent, protect=protect),
    )
    own = ResourceOptions(parent=parent)
    deployment = deployment_manifest(
        process, namespace=namespace, volumes=volumes, mounts=mounts, annotations=annotations
    )
    started = kubernetes_object(name, deployment, opts=own)
    service = kubernetes_object(name, service_manifest(process, namespace=namespace), opts=own)
    host = Output.concat(process.service, ".", namespace, ".svc.cluster.local")
    return after(host, [started, service])
