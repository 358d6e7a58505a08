"""envoyproxy/ratelimit: counts what tenants ask for over all Pods of the gateway."""

import hashlib
from typing import Any

import yaml
from pulumi import ComponentResource, Input, Output, ResourceOptions

from components.base import PART_OF, metadata
from components.child_options import child_options
from components.envoy_charge import COUNTS_PORT
from components.kubernetes_object import kubernetes_object
from components.ordering import after
from components.pod_security import restricted_container, restricted_pod
from components.ratelimit_config import LimitsConfig
from components.ratelimit_rules import service_configuration
from components.versions import IMAGES

SERVICE = "ratelimit"
CONFIGURATION = "ratelimit-rules"
PASSWORD_KEY = "password"  # noqa: S105 -- the name of a Secret's key
SELECTOR = {"app.kubernetes.io/name": SERVICE}
LOCAL_IMAGES = "process.local/"

STORE_CA_SECRET = "ratelimit-store-ca"  # noqa: S105 -- the name of a Secret
CA_FILE = "ca.crt"

_FOLDER = "/data"
_CA_FOLDER = "/etc/store-ca"
_PORTS = {"grpc": 8081, "http": COUNTS_PORT, "metrics": 9102}


def manifests(
    limits: LimitsConfig,
    *,
    namespace: Any,
    store: Any,
    tls: bool,
    password_secret: Any,
    store_issuer: str | None = None,
) -> dict[str, dict[str, Any]]:
    """Every object by what it is; `store` is `host:port` of a Valkey that never evicts.

    `store_issuer` is the ClusterIssuer that signed the store's certificate; None: a public CA.
    """

    def made(version: str, kind: str, name: str = SERVICE) -> dict[str, Any]:
        meta = metadata(name, component="gateway", namespace=namespace)
        return {"apiVersion": version, "kind": kind, "metadata": meta}

    rules = yaml.safe_dump(service_configuration(limits), sort_keys=False)
    digest = hashlib.sha256(rules.encode()).hexdigest()[:16]
    deployment = deployment_spec(
        limits,
        digest=digest,
        store=store,
        tls=tls,
        password_secret=password_secret,
        own_ca=store_issuer is not None,
    )
    budget = {"maxUnavailable": 1, "selector": {"matchLabels": SELECTOR}}
    found = {
        "rules": made("v1", "ConfigMap", CONFIGURATION) | {"data": {"rules.yaml": rules}},
        "deployment": made("apps/v1", "Deployment") | {"spec": deployment},
        "service": made("v1", "Service") | {"spec": service_spec(limits)},
        "budget": made("policy/v1", "PodDisruptionBudget") | {"spec": budget},
    }
    if store_issuer is not None:
        certificate = made("cert-manager.io/v1", "Certificate", STORE_CA_SECRET)
        found["store-ca"] = certificate | {"spec": store_certificate_spec(store_issuer)}
    return found


def store_certificate_spec(issuer: str) -> dict[str, Any]:
    """A certificate of the store's issuer: its Secret brings `ca.crt` into this namespace."""
    return {
        "secretName": STORE_CA_SECRET,
        "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": issuer},
        "dnsNames": [f"{SERVICE}.ai-gateway"],
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
    }


def service_spec(limits: LimitsConfig) -> dict[str, Any]:
    """gRPC and HTTP for the gateways; metrics for Prometheus."""
    return {
        "selector": SELECTOR,
        "ports": [
            {
                "name": "grpc",
                "port": limits.port,
                "targetPort": "grpc",
                "appProtocol": "kubernetes.io/h2c",
            },
            {"name": "http", "port": _PORTS["http"], "targetPort": "http"},
            {"name": "metrics", "port": _PORTS["metrics"], "targetPort": "metrics"},
        ],
    }


def deployment_spec(
    limits: LimitsConfig,
    *,
    digest: str,
    store: Any,
    tls: bool,
    password_secret: Any,
    own_ca: bool = False,
) -> dict[str, Any]:
    """Pods that all count in one store, so any of them may be lost."""
    environment = [
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        *({"name": key, "value": value} for key, value in settings(tls=tls, own_ca=own_ca).items()),
        {"name": "REDIS_URL", "value": store},
        {
            "name": "REDIS_AUTH",
            "valueFrom": {"secretKeyRef": {"name": password_secret, "key": PASSWORD_KEY}},
        },
    ]
    image = limits.image or IMAGES["ratelimit"]
    embedded = ["python", "-m", "local.workloads.rate_limit_service"]
    container = {
        "name": SERVICE,
        "image": image,
        "command": embedded if image.startswith(LOCAL_IMAGES) else ["/bin/ratelimit"],
        "env": environment,
        "ports": [{"name": name, "containerPort": port} for name, port in _PORTS.items()],
        "readinessProbe": _probe(period=5, failures=2),
        # The store being away must not restart the service: it would come no sooner back.
        "livenessProbe": {"tcpSocket": {"port": "grpc"}, "periodSeconds": 10},
        "resources": {
            "requests": {"cpu": "100m", "memory": "64Mi"},
            "limits": {"memory": "256Mi"},
        },
        "securityContext": restricted_container(),
        "volumeMounts": [
            {"name": "rules", "mountPath": f"{_FOLDER}/config", "readOnly": True},
            *([{"name": "ca", "mountPath": _CA_FOLDER, "readOnly": True}] if own_ca else []),
        ],
    }
    labels = SELECTOR | {"app.kubernetes.io/part-of": PART_OF}
    return {
        "replicas": limits.replicas,
        "selector": {"matchLabels": SELECTOR},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
        "template": {
            "metadata": {"labels": labels, "annotations": {"agentic.dev/rules": digest}},
            "spec": {
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "priorityClassName": "agentic-gateway",
                "securityContext": restricted_pod(),
                "containers": [container],
                "volumes": [
                    {"name": "rules", "configMap": {"name": CONFIGURATION}},
                    *([_ca_volume()] if own_ca else []),
                ],
            },
        },
    }


def _ca_volume() -> dict[str, Any]:
    """Of the Secret only what may be known: the key of the certificate stays out."""
    items = [{"key": CA_FILE, "path": CA_FILE}]
    return {"name": "ca", "secret": {"secretName": STORE_CA_SECRET, "items": items}}


def settings(*, tls: bool, own_ca: bool = False) -> dict[str, str]:
    """The service's environment, but for the store's address and password."""
    address = "$(POD_IP)"
    return {
        "HOST": address,
        "PORT": str(_PORTS["http"]),
        "GRPC_HOST": address,
        "GRPC_PORT": str(_PORTS["grpc"]),
        "DEBUG_HOST": "127.0.0.1",
        # No fixed port: it serves profiles, and Pods of the local plane share the loopback.
        "DEBUG_PORT": "0",
        "LOG_LEVEL": "warn",
        "LOG_FORMAT": "json",
        "USE_STATSD": "false",
        "USE_PROMETHEUS": "true",
        "PROMETHEUS_ADDR": f"{address}:{_PORTS['metrics']}",
        "RUNTIME_ROOT": _FOLDER,
        "RUNTIME_SUBDIRECTORY": "",
        # A ConfigMap is a folder of links into hidden folders; new rules come with new Pods.
        "RUNTIME_IGNOREDOTFILES": "true",
        "RUNTIME_WATCH_ROOT": "false",
        "REDIS_SOCKET_TYPE": "tcp",
        "REDIS_TYPE": "SINGLE",
        "REDIS_TLS": "true" if tls else "false",
        **({"REDIS_TLS_CACERT": f"{_CA_FOLDER}/{CA_FILE}"} if own_ca else {}),
        "REDIS_TIMEOUT": "500ms",
        "REDIS_HEALTH_CHECK_ACTIVE_CONNECTION": "false",
    }


def _probe(*, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": "/healthcheck", "port": "http"},
        "periodSeconds": period,
        "failureThreshold": failures,
        "timeoutSeconds": 2,
    }


class RateLimitService(ComponentResource):
    """The service, its rules and its address."""

    host: Output[str]
    """Name of its Service, once it runs."""

    def __init__(
        self,
        name: str,
        *,
        limits: LimitsConfig,
        namespace: Input[str],
        store_host: Input[str],
        store_port: Input[int],
        store_tls: bool,
        password_secret: Input[str],
        store_issuer: str | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:gateway:RateLimitService", name, None, opts)
        objects = manifests(
            limits,
            namespace=namespace,
            store=Output.format("{0}:{1}", store_host, store_port),
            tls=store_tls,
            password_secret=password_secret,
            store_issuer=store_issuer,
        )
        own = child_options(self, opts)
        read = [
            kubernetes_object(f"{name}-{what}", objects.pop(what), opts=own)
            for what in ("rules", "store-ca")
            if what in objects
        ]
        with_rules = ResourceOptions(parent=self, depends_on=read)
        made = [
            kubernetes_object(f"{name}-{what}", manifest, opts=with_rules)
            for what, manifest in objects.items()
        ]
        self.host = after(SERVICE, made)
        self.register_outputs({"host": self.host})
