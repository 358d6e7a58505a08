"""kgateway: `x-model-id` from the body's `model`, before a route is chosen.

kgateway's own transformations run after the route is chosen and don't choose again. The body-based
router of the Gateway API inference extension does just this one thing; 1.5.0 is its last release.
"""

import json
from typing import Any

from components.base import PART_OF, metadata
from components.gateway_config import GATEWAY_NAME
from components.pod_security import restricted_container, restricted_pod
from components.versions import IMAGES
from inference.http_route import GATEWAY_API, gateway_ref
from inference.routing import MODEL_HEADER

KGATEWAY = "gateway.kgateway.dev/v1alpha1"
NAME = "model-from-body"
UNNAMED = "no-model-named"
SELECTOR = {"app.kubernetes.io/name": NAME}

_GRPC, _HEALTH = 9004, 9005

Manifests = dict[str, dict[str, Any]]


def manifests(*, namespace: Any, replicas: int) -> Manifests:
    """The router, its place in the filters, and what a request without a model is told."""

    def made(version: str, kind: str, name: str = NAME) -> dict[str, Any]:
        meta = metadata(name, component="gateway", namespace=namespace)
        return {"apiVersion": version, "kind": kind, "metadata": meta}

    port = {"name": "grpc", "port": _GRPC, "targetPort": "grpc"}
    service = {"selector": SELECTOR, "ports": [port | {"appProtocol": "kubernetes.io/h2c"}]}
    budget = {"maxUnavailable": 1, "selector": {"matchLabels": SELECTOR}}
    return {
        "model-account": made("v1", "ServiceAccount"),
        "model-router": made("apps/v1", "Deployment") | {"spec": deployment_spec(replicas)},
        "model-service": made("v1", "Service") | {"spec": service},
        "model-budget": made("policy/v1", "PodDisruptionBudget") | {"spec": budget},
        "model-extension": made(KGATEWAY, "GatewayExtension") | {"spec": extension_spec()},
        "unnamed": made(KGATEWAY, "DirectResponse", UNNAMED) | {"spec": _answer()},
        "unnamed-route": made(f"{GATEWAY_API}/v1", "HTTPRoute", UNNAMED) | {"spec": _route()},
    }


def policy() -> dict[str, Any]:
    """The part of the Gateway's TrafficPolicy that asks the router for every request."""
    return {"extProc": {"extensionRef": {"name": NAME}}}


def deployment_spec(replicas: int) -> dict[str, Any]:
    """It needs the API server's address only because its framework does; it reads nothing there."""
    plugin = json.dumps({"fieldName": "model", "headerName": MODEL_HEADER})
    container = {
        "name": "router",
        "image": IMAGES["body-based-router"],
        "args": [
            "--secure-serving=false",
            "--tracing=false",
            "--enable-pprof=false",
            "--plugin",
            f"body-field-to-header:model:{plugin}",
        ],
        "env": [
            {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}
        ],
        "ports": [
            {"name": "grpc", "containerPort": _GRPC},
            {"name": "health", "containerPort": _HEALTH},
        ],
        "readinessProbe": {"grpc": {"port": _HEALTH}, "periodSeconds": 5},
        "livenessProbe": {"grpc": {"port": _HEALTH}, "periodSeconds": 10, "failureThreshold": 6},
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"memory": "512Mi"},
        },
        "securityContext": restricted_container(),
    }
    return {
        "replicas": replicas,
        "selector": {"matchLabels": SELECTOR},
        "template": {
            "metadata": {"labels": SELECTOR | {"app.kubernetes.io/part-of": PART_OF}},
            "spec": {
                "serviceAccountName": NAME,
                "enableServiceLinks": False,
                "priorityClassName": "agentic-gateway",
                "securityContext": restricted_pod(),
                "containers": [container],
            },
        },
    }


def extension_spec() -> dict[str, Any]:
    """Before authentication: the rules of who may ask belong to the route that is then chosen.

    Without the router a request that names its model in the header still finds its way.
    """
    backend = {"group": "", "kind": "Service", "name": NAME, "port": _GRPC}
    return {
        "type": "ExtProc",
        "extProc": {
            "grpcService": {"backendRef": backend},
            "failOpen": True,
            "filterStage": {"stage": "AuthN", "predicate": "Before"},
            "processingMode": {
                "requestHeaderMode": "SEND",
                "requestBodyMode": "BUFFERED",
                "responseHeaderMode": "SKIP",
                "responseBodyMode": "NONE",
            },
            "routeCacheAction": "FromResponse",
        },
    }


def _answer() -> dict[str, Any]:
    message = f"the request names no model: send 'model' in the JSON body or {MODEL_HEADER}"
    error = {"message": message, "type": "invalid_request_error", "code": "bad_request"}
    text = json.dumps({"error": error | {"param": None}})
    return {"status": 400, "bodyFormat": {"text": text, "contentType": "application/json"}}


def _route() -> dict[str, Any]:
    """Also what a request matches until its model is known: filters only run on some route."""
    group = KGATEWAY.partition("/")[0]
    reference = {"group": group, "kind": "DirectResponse", "name": UNNAMED}
    rule = {
        "name": UNNAMED,
        "matches": [{"path": {"type": "PathPrefix", "value": "/v1"}}],
        "filters": [{"type": "ExtensionRef", "extensionRef": reference}],
    }
    return {"parentRefs": [gateway_ref(GATEWAY_NAME)], "rules": [rule]}
