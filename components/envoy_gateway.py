"""The gateway as a Deployment of plain Envoy: for clusters without a gateway controller."""

from typing import Any

from components.base import PART_OF, metadata
from components.envoy_admin import LIVE_PATH, READY_PATH
from components.envoy_bootstrap import (
    ADDRESS,
    DATA_PORT,
    STATUS_PORT,
    TLS_FILE,
    TLS_FOLDER,
    TLS_PORT,
    render,
    tls_secret_file,
)
from components.gateway_config import GATEWAY_NAME, GatewayConfig
from components.gateway_tls import (
    CERTIFICATE_SECRET,
    certificate_spec,
    load_balancer_annotations,
)
from components.pod_security import restricted_container, restricted_pod
from components.versions import IMAGES

BOOTSTRAP_SECRET = "ai-gateway-bootstrap"  # noqa: S105 -- the name of a Secret
BOOTSTRAP_KEY = "envoy.yaml"
DIGEST_ANNOTATION = "agentic.dev/bootstrap-digest"
SELECTOR = {"app": GATEWAY_NAME}
METRICS_SERVICE = f"{GATEWAY_NAME}-metrics"
METRICS_LABELS = {"agentic.dev/metrics": "gateway"}
PRIORITY_CLASS = "agentic-gateway"

# The same words work in Envoy's own image and where processes stand in for containers.
_START = (
    "umask 077 && "
    f"/bin/sed 's/{ADDRESS.replace('$', '[$]')}/'\"$POD_IP\"'/g' "
    f"/etc/envoy/{BOOTSTRAP_KEY} > /tmp/{BOOTSTRAP_KEY} && "
    f"exec envoy -c /tmp/{BOOTSTRAP_KEY} --disable-hot-restart --log-level warn --concurrency 2 "
    # the access log is how a request is followed; ten seconds, the default, is a long wait for it
    "--file-flush-interval-msec 500"
)


def manifests(
    config: GatewayConfig, *, namespace: Any, bootstrap: Any, digest: Any
) -> dict[str, dict[str, Any]]:
    """Every object by what it is; `digest` changes with the bootstrap, so new routes roll out."""

    def made(version: str, kind: str, name: str = GATEWAY_NAME) -> dict[str, Any]:
        meta = metadata(name, component="gateway", namespace=namespace, labels=dict(SELECTOR))
        return {"apiVersion": version, "kind": kind, "metadata": meta}

    data = {BOOTSTRAP_KEY: bootstrap}
    found = {}
    if config.tls and config.tls.issuer:
        data[TLS_FILE] = render(tls_secret_file())
        found["certificate"] = made("cert-manager.io/v1", "Certificate") | {
            "spec": certificate_spec(config.tls)
        }
    budget = {"maxUnavailable": 1, "selector": {"matchLabels": SELECTOR}}
    metrics = made("v1", "Service", METRICS_SERVICE) | {"spec": _metrics_service()}
    metrics["metadata"]["labels"] |= METRICS_LABELS
    doors = {
        what: made("v1", "Service", name) | {"spec": spec}
        for what, (name, spec) in services(config).items()
    }
    public = doors["tls" if config.tls else "service"]
    public["metadata"]["annotations"] = load_balancer_annotations(config)
    return {
        "bootstrap": made("v1", "Secret", BOOTSTRAP_SECRET) | {"stringData": data},
        **found,
        "account": made("v1", "ServiceAccount") | {"automountServiceAccountToken": False},
        "deployment": made("apps/v1", "Deployment")
        | {"spec": deployment_spec(config, digest=digest)},
        **doors,
        "metrics": metrics,
        "budget": made("policy/v1", "PodDisruptionBudget") | {"spec": budget},
    }


def deployment_spec(config: GatewayConfig, *, digest: Any) -> dict[str, Any]:
    return {
        "replicas": config.replicas,
        "selector": {"matchLabels": SELECTOR},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
        "template": {
            "metadata": {
                "labels": SELECTOR | {"app.kubernetes.io/part-of": PART_OF},
                "annotations": {DIGEST_ANNOTATION: digest},
            },
            "spec": {
                "serviceAccountName": GATEWAY_NAME,
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "securityContext": restricted_pod(),
                "priorityClassName": PRIORITY_CLASS,
                "terminationGracePeriodSeconds": config.drain_seconds + 15,
                "topologySpreadConstraints": [_spread()],
                "containers": [_container(config)],
                "volumes": _volumes(config),
            },
        },
    }


def _volumes(config: GatewayConfig) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [
        {"name": "bootstrap", "secret": {"secretName": BOOTSTRAP_SECRET}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
    ]
    if config.tls and config.tls.issuer:
        volumes.append({"name": "tls", "secret": {"secretName": CERTIFICATE_SECRET}})
    return volumes


def _container(config: GatewayConfig) -> dict[str, Any]:
    return {
        "name": "envoy",
        "image": config.image or IMAGES["envoy"],
        "command": ["/bin/sh", "-c", _START],
        "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "ports": [{"name": name, "containerPort": port} for name, port in _container_ports(config)],
        "readinessProbe": _probe(READY_PATH, period=5, failures=2),
        "livenessProbe": _probe(LIVE_PATH, period=10, failures=6),
        # Envoy ends at once when told to; until then answers flow on, and new connections still
        # arrive for a moment after the Pod left the Service.
        "lifecycle": {"preStop": {"sleep": {"seconds": max(config.drain_seconds, 1)}}},
        "resources": {
            "requests": {"cpu": "250m", "memory": "128Mi"},
            "limits": {"cpu": "2", "memory": "1Gi"},
        },
        "securityContext": restricted_container(),
        "volumeMounts": _mounts(config),
    }


def _mounts(config: GatewayConfig) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [
        {"name": "bootstrap", "mountPath": "/etc/envoy", "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 -- a volume of the Pod's own
    ]
    if config.tls and config.tls.issuer:
        mounts.append({"name": "tls", "mountPath": TLS_FOLDER, "readOnly": True})
    return mounts


def _container_ports(config: GatewayConfig) -> list[tuple[str, int]]:
    ports = [("http", DATA_PORT), ("status", STATUS_PORT)]
    return [*ports, ("https", TLS_PORT)] if config.tls and config.tls.issuer else ports


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "status"},
        "periodSeconds": period,
        "failureThreshold": failures,
        "timeoutSeconds": 2,
    }


def _spread() -> dict[str, Any]:
    return {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": SELECTOR},
    }


def services(config: GatewayConfig) -> dict[str, tuple[str, dict[str, Any]]]:
    """Name and spec by what it is. With TLS only the encrypted port leaves the cluster."""
    inside = [{"name": "http", "port": config.port, "targetPort": "http"}]
    if config.tls is None:
        return {"service": (GATEWAY_NAME, _balanced(config, inside))}
    ends_here = config.tls.issuer is not None
    outside = [
        {
            "name": "https",
            "port": config.tls.port,
            "targetPort": "https" if ends_here else "http",
        }
    ]
    return {
        "service": (GATEWAY_NAME, {"selector": SELECTOR, "ports": inside}),
        "tls": (f"{GATEWAY_NAME}-tls", _balanced(config, outside)),
    }


def _balanced(config: GatewayConfig, ports: list[dict[str, Any]]) -> dict[str, Any]:
    spec = {"type": "LoadBalancer", "selector": SELECTOR, "ports": ports}
    if config.load_balancer_class:
        spec["loadBalancerClass"] = config.load_balancer_class
    return spec


def _metrics_service() -> dict[str, Any]:
    """Kept apart: what the load balancer serves must not include the metrics."""
    return {
        "selector": SELECTOR,
        "ports": [{"name": "metrics", "port": STATUS_PORT, "targetPort": "status"}],
    }
