"""The endpoint picker of an InferencePool: which Pod of a model server has the least to do.

The picker of the Gateway API inference extension, whose last release is 1.5.0: after that it went
on as llm-d's router, which reads the same configuration.
"""

from typing import Any

import yaml

from components.base import PART_OF, metadata
from components.pod_security import restricted_container, restricted_pod
from components.versions import IMAGES
from inference.routing import Backend, RouteTable

PICKER_PORT = 9002
HEALTH_PORT = 9003
METRICS_PORT = 9090
INFERENCE_API = "inference.networking.k8s.io"
ENGINE_LABEL = "app"
"""Carried by the Pods of model servers: `vllm`, `sglang`; it says whose metric names they have."""
_HEALTH_SERVICE = "inference-extension"
_CONFIG_FOLDER, _CONFIG_FILE = "/config", "plugins.yaml"

Manifests = dict[str, dict[str, Any]]


def pooled(routes: RouteTable) -> list[Backend]:
    """Each backend that a picker chooses Pods for, once."""
    found = {
        (backend.namespace, backend.service): backend
        for route in routes.models
        for backend in route.backends
        if backend.picker
    }
    return list(found.values())


def clashes(routes: RouteTable) -> list[str]:
    """A line for each two pools that name one picker: it serves exactly one."""
    owners: dict[tuple[str, str], str] = {}
    lines = []
    for backend in pooled(routes):
        place = (backend.namespace, backend.picker or "")
        other = owners.setdefault(place, backend.service)
        if other != backend.service:
            lines.append(
                f"backends {other!r} and {backend.service!r} both name the picker "
                f"{backend.picker!r}; a picker serves one pool: give each its own"
            )
    return lines


def manifests(routes: RouteTable) -> Manifests:
    """Every object of every picker of the table, each beside its pool."""
    found: Manifests = {}
    for backend in pooled(routes):
        for what, manifest in picker_manifests(backend).items():
            found[f"picker-{backend.namespace}-{backend.service}-{what}"] = manifest
    return found


def picker_manifests(backend: Backend) -> Manifests:
    """One picker; `backend.picker` names its Service and everything else of it."""
    name = str(backend.picker)

    def made(version: str, kind: str) -> dict[str, Any]:
        meta = metadata(name, component="gateway", namespace=backend.namespace)
        return {"apiVersion": version, "kind": kind, "metadata": meta}

    rbac = "rbac.authorization.k8s.io"
    account = {"kind": "ServiceAccount", "name": name, "namespace": backend.namespace}
    role = {"apiGroup": rbac, "kind": "Role", "name": name}
    ports = [
        {"name": "grpc", "port": PICKER_PORT},
        {"name": "metrics", "port": METRICS_PORT},
    ]
    config = yaml.safe_dump(configuration(), sort_keys=False)
    return {
        "account": made("v1", "ServiceAccount"),
        "role": made(f"{rbac}/v1", "Role") | {"rules": rules()},
        "binding": made(f"{rbac}/v1", "RoleBinding") | {"roleRef": role, "subjects": [account]},
        "config": made("v1", "ConfigMap") | {"data": {_CONFIG_FILE: config}},
        "deployment": made("apps/v1", "Deployment") | {"spec": deployment_spec(backend)},
        "service": made("v1", "Service") | {"spec": {"selector": _selector(name), "ports": ports}},
    }


def rules() -> list[dict[str, Any]]:
    """It reads the pool and its Pods, in its own namespace; nothing is written."""
    read = ["get", "list", "watch"]
    return [
        {"apiGroups": [""], "resources": ["pods"], "verbs": read},
        {"apiGroups": [INFERENCE_API], "resources": ["inferencepools"], "verbs": read},
    ]


def configuration() -> dict[str, Any]:
    """Short queues and free caches first; a Pod that has the prompt's beginning is preferred."""
    weights = {"queue-scorer": 2, "kv-cache-utilization-scorer": 2, "prefix-cache-scorer": 3}
    source = {"scheme": "http", "path": "/metrics", "insecureSkipVerify": False}
    plugins: list[dict[str, Any]] = [{"type": name} for name in weights]
    plugins += [
        {"type": "metrics-data-source", "parameters": source},
        {"type": "core-metrics-extractor", "parameters": {"engineLabelKey": ENGINE_LABEL}},
    ]
    listed = [{"pluginRef": name, "weight": weight} for name, weight in weights.items()]
    return {
        "apiVersion": "inference.networking.x-k8s.io/v1alpha1",
        "kind": "EndpointPickerConfig",
        "plugins": plugins,
        "schedulingProfiles": [{"name": "default", "plugins": listed}],
    }


def arguments(backend: Backend) -> list[str]:
    """What the picker is started with.

    It makes itself a certificate: agentgateway speaks TLS to a picker and checks no name, as the
    inference extension's protocol has it.
    """
    return [
        f"--pool-name={backend.service}",
        f"--pool-namespace={backend.namespace}",
        f"--pool-group={INFERENCE_API}",
        f"--config-file={_CONFIG_FOLDER}/{_CONFIG_FILE}",
        f"--grpc-port={PICKER_PORT}",
        f"--grpc-health-port={HEALTH_PORT}",
        f"--metrics-port={METRICS_PORT}",
        "--secure-serving=true",
        # with it the picker would need to ask the API server about each scrape
        "--metrics-endpoint-auth=false",
        "--enable-pprof=false",
        "--tracing=false",
        "--zap-encoder=json",
    ]


def deployment_spec(backend: Backend) -> dict[str, Any]:
    """One Pod: it remembers which Pod has which prompt, and a second would remember another half.

    While it is away the pool is not asked (`FailClose`), and the route's next backend is.
    """
    name = str(backend.picker)
    health = {"grpc": {"port": HEALTH_PORT, "service": _HEALTH_SERVICE}}
    field = {"fieldRef": {"fieldPath": "metadata.namespace"}}
    container = {
        "name": "picker",
        "image": IMAGES["endpoint-picker"],
        "args": arguments(backend),
        "env": [
            {"name": "NAMESPACE", "valueFrom": field},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        "ports": [
            {"name": "grpc", "containerPort": PICKER_PORT},
            {"name": "health", "containerPort": HEALTH_PORT},
            {"name": "metrics", "containerPort": METRICS_PORT},
        ],
        "readinessProbe": health | {"periodSeconds": 2},
        "livenessProbe": health | {"periodSeconds": 10, "failureThreshold": 6},
        "resources": {
            "requests": {"cpu": "500m", "memory": "256Mi"},
            "limits": {"memory": "1Gi"},
        },
        "securityContext": restricted_container(),
        "volumeMounts": [{"name": "config", "mountPath": _CONFIG_FOLDER, "readOnly": True}],
    }
    return {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": _selector(name)},
        "template": {
            "metadata": {"labels": _selector(name) | {"app.kubernetes.io/part-of": PART_OF}},
            "spec": {
                "serviceAccountName": name,
                "enableServiceLinks": False,
                "priorityClassName": "agentic-gateway",
                "terminationGracePeriodSeconds": 130,
                "securityContext": restricted_pod(),
                "containers": [container],
                "volumes": [{"name": "config", "configMap": {"name": name}}],
            },
        },
    }


def _selector(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/component": "endpoint-picker"}
