"""The gateway as a Deployment of plain Envoy: for clusters without a gateway controller."""

from typing import Any

from components.base import PART_OF, metadata
from components.envoy_bootstrap import ADDRESS, ADMIN_PORT, DATA_PORT
from components.gateway_config import GATEWAY_NAME, GatewayConfig
from components.pod_security import restricted_container, restricted_pod
from components.versions import IMAGES

BOOTSTRAP_SECRET = "ai-gateway-bootstrap"  # noqa: S105 -- the name of a Secret
BOOTSTRAP_KEY = "envoy.yaml"
DIGEST_ANNOTATION = "agentic.dev/bootstrap-digest"
SELECTOR = {"app": GATEWAY_NAME}

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

    service = made("v1", "Service") | {"spec": service_spec(config)}
    service["metadata"]["annotations"] = load_balancer_annotations(config)
    budget = {"maxUnavailable": 1, "selector": {"matchLabels": SELECTOR}}
    return {
        "bootstrap": made("v1", "Secret", BOOTSTRAP_SECRET)
        | {"stringData": {BOOTSTRAP_KEY: bootstrap}},
        "deployment": made("apps/v1", "Deployment")
        | {"spec": deployment_spec(config, digest=digest)},
        "service": service,
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
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "securityContext": restricted_pod(),
                "terminationGracePeriodSeconds": 60,
                "topologySpreadConstraints": [_spread()],
                "containers": [_container(config)],
                "volumes": [
                    {"name": "bootstrap", "secret": {"secretName": BOOTSTRAP_SECRET}},
                    {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
                ],
            },
        },
    }


def _container(config: GatewayConfig) -> dict[str, Any]:
    return {
        "name": "envoy",
        "image": config.image or IMAGES["envoy"],
        "command": ["/bin/sh", "-c", _START],
        "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "ports": [
            {"name": "http", "containerPort": DATA_PORT},
            {"name": "admin", "containerPort": ADMIN_PORT},
        ],
        "readinessProbe": _probe("/ready", period=5, failures=2),
        "livenessProbe": _probe("/server_info", period=10, failures=6),
        # New connections still arrive for a moment after the Pod left the Service.
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        "resources": {
            "requests": {"cpu": "250m", "memory": "128Mi"},
            "limits": {"cpu": "2", "memory": "1Gi"},
        },
        "securityContext": restricted_container(),
        "volumeMounts": [
            {"name": "bootstrap", "mountPath": "/etc/envoy", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 -- a volume of the Pod's own
        ],
    }


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "admin"},
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


def service_spec(config: GatewayConfig) -> dict[str, Any]:
    return {
        "type": "LoadBalancer",
        "selector": SELECTOR,
        "ports": [{"name": "http", "port": config.port, "targetPort": "http"}],
    }


def load_balancer_annotations(config: GatewayConfig) -> dict[str, str]:
    """Read by the AWS Load Balancer Controller; elsewhere nobody looks at them."""
    return {
        "service.beta.kubernetes.io/aws-load-balancer-type": "external",
        "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type": "ip",
        "service.beta.kubernetes.io/aws-load-balancer-scheme": (
            "internet-facing" if config.public else "internal"
        ),
    }
