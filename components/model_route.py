"""The routes of a table as Kubernetes objects for kgateway: HTTPRoutes, grants, backend policies.

Fields are those of kgateway 2.4's own definitions.
"""

import json
from typing import Any

from components.base import metadata
from inference.http_route import (
    GATEWAY_API,
    agent_route_spec,
    agent_rules,
    group_ref,
    http_route_spec,
    model_rules,
    object_name,
    reference_grant_spec,
)
from inference.routing import TENANT_HEADER, Backend, ModelRoute, RouteTable

KGATEWAY = "gateway.kgateway.dev/v1alpha1"
INFERENCE_ROUTE = "inference-routing"
AGENT_ROUTE = "agent-routing"
MODEL_LIST = "model-list"

Manifests = dict[str, dict[str, Any]]


def check(routes: RouteTable) -> None:
    """ValueError, one line each, for what kgateway can't do with these routes."""
    problems = [
        f"model {route.name!r}: with kgateway fallbacks need strategy 'fallback', not "
        f"{route.strategy!r}; change the strategy or use gateway variant 'envoy'"
        for route in routes.models
        if route.fallbacks and route.strategy != "fallback"
    ]
    if problems:
        raise ValueError("\n".join(problems))


def manifests(routes: RouteTable, *, gateway: str, namespace: Any) -> Manifests:
    """Every object by a stable name; `namespace` is the gateway's."""
    check(routes)
    found: Manifests = {}
    if routes.models:
        spec = http_route_spec(routes, gateway=gateway)
        found["route"] = _made(f"{GATEWAY_API}/v1", "HTTPRoute", INFERENCE_ROUTE, namespace, spec)
    if routes.agents:
        spec = agent_route_spec(routes, gateway=gateway)
        found["agents"] = _made(f"{GATEWAY_API}/v1", "HTTPRoute", AGENT_ROUTE, namespace, spec)
    found |= _model_list(routes, gateway, namespace)
    found |= _grants(routes, from_namespace=namespace)
    found |= _backend_policies(routes)
    for route in routes.models:
        if route.strategy in ("latency", "fallback"):
            found |= _groups(routes, route, namespace)
    return found | _behaviour(routes, namespace)


def _made(
    version: str, kind: str, name: str, namespace: Any, spec: dict[str, Any]
) -> dict[str, Any]:
    meta = metadata(name, component="gateway", namespace=namespace)
    return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec}


def _model_list(routes: RouteTable, gateway: str, namespace: Any) -> Manifests:
    """`GET /v1/models`, answered by the gateway: the models that are open to every tenant."""
    models = [
        {"id": name, "object": "model", "created": 0, "owned_by": "platform"}
        for name in routes.allowed(None)
    ]
    text = json.dumps({"object": "list", "data": models})
    body = {"text": text, "contentType": "application/json"}
    reference = {"group": "gateway.kgateway.dev", "kind": "DirectResponse", "name": MODEL_LIST}
    rule = {
        "matches": [{"path": {"type": "Exact", "value": "/v1/models"}, "method": "GET"}],
        "filters": [{"type": "ExtensionRef", "extensionRef": reference}],
    }
    parent = {"group": GATEWAY_API, "kind": "Gateway", "name": gateway}
    route = {"parentRefs": [parent], "rules": [rule]}
    answer = {"status": 200, "bodyFormat": body}
    return {
        "model-list": _made(KGATEWAY, "DirectResponse", MODEL_LIST, namespace, answer),
        "model-list-route": _made(f"{GATEWAY_API}/v1", "HTTPRoute", MODEL_LIST, namespace, route),
    }


def _services(routes: RouteTable) -> dict[str, list[str]]:
    """Services by namespace that HTTPRoutes name, each once, sorted."""
    backends = [each for route in routes.models for each in route.backends]
    backends += [agent.backend for agent in routes.agents]
    found: dict[str, set[str]] = {}
    for backend in backends:
        found.setdefault(backend.namespace, set()).add(backend.service)
    return {namespace: sorted(found[namespace]) for namespace in sorted(found)}


def _grants(routes: RouteTable, *, from_namespace: Any) -> Manifests:
    return {
        f"grant-{namespace}": _made(
            f"{GATEWAY_API}/v1",
            "ReferenceGrant",
            INFERENCE_ROUTE,
            namespace,
            reference_grant_spec(namespace, services, from_namespace=from_namespace),
        )
        for namespace, services in _services(routes).items()
    }


def _backend_policies(routes: RouteTable) -> Manifests:
    """A policy names only Services of its own namespace, so each namespace gets one."""
    return {
        f"backends-{namespace}": _made(
            KGATEWAY,
            "BackendConfigPolicy",
            INFERENCE_ROUTE,
            namespace,
            backend_policy_spec(
                [{"group": "", "kind": "Service", "name": service} for service in services]
            ),
        )
        for namespace, services in _services(routes).items()
    }


def backend_policy_spec(targets: list[dict[str, str]]) -> dict[str, Any]:
    """Failing Pods are left out for a while; among the rest the least busy one is asked."""
    return {
        "targetRefs": targets,
        "connectTimeout": "2s",
        # Uvicorn closes an idle connection after five seconds; reusing one then is a reset.
        "commonHttpProtocolOptions": {"idleTimeout": "4s"},
        "circuitBreakers": {
            "maxConnections": 4096,
            "maxPendingRequests": 4096,
            "maxRequests": 4096,
            "maxRetries": 1024,
        },
        "loadBalancer": {"leastRequest": {"choiceCount": 2}},
        "outlierDetection": {
            "consecutive5xx": 5,
            "interval": "5s",
            "baseEjectionTime": "15s",
            "maxEjectionPercent": 50,
        },
    }


def _groups(routes: RouteTable, route: ModelRoute, namespace: Any) -> Manifests:
    """latency: one group of all hosts · fallback: a group that asks one host after the other."""
    name = group_ref(route)["name"]
    if route.strategy == "latency":
        spec = _static(*route.backends)
        policy = backend_policy_spec([_backend_target(name)])
        return {
            name: _made(KGATEWAY, "Backend", name, namespace, spec),
            f"{name}-policy": _made(KGATEWAY, "BackendConfigPolicy", name, namespace, policy),
        }
    order = (*route.backends, *routes.attempts(route))
    hosts = {f"{name}-{number}": backend for number, backend in enumerate(order)}
    groups = [{"backendRefs": [{"name": host}]} for host in hosts]
    found = {
        host: _made(KGATEWAY, "Backend", host, namespace, _static(backend))
        for host, backend in hosts.items()
    }
    found[name] = _made(
        KGATEWAY, "Backend", name, namespace, {"type": "PriorityGroups", "priorityGroups": groups}
    )
    policy = backend_policy_spec([_backend_target(host) for host in hosts])
    policy["outlierDetection"]["maxEjectionPercent"] = 100
    found[f"{name}-policy"] = _made(KGATEWAY, "BackendConfigPolicy", name, namespace, policy)
    return found


def _backend_target(name: str) -> dict[str, str]:
    return {"group": "gateway.kgateway.dev", "kind": "Backend", "name": name}


def _static(*backends: Backend) -> dict[str, Any]:
    hosts = [{"host": backend.host, "port": backend.port} for backend in backends]
    return {"type": "Static", "static": {"hosts": hosts}}


def _behaviour(routes: RouteTable, namespace: Any) -> Manifests:
    """Streams are cut by silence, never by their length; an agent is not asked twice."""
    found: Manifests = {}
    for route in routes.models:
        retry = {
            "retryOn": ["connect-failure", "refused-stream", "gateway-error"],
            "statusCodes": [429],
            "attempts": 2,
        }
        spec = {"timeouts": _until_silent(route.timeout_seconds), "retry": retry}
        spec |= _allow(route.tenants)
        rules = [rule["name"] for rule in model_rules(route)]
        found |= _per_rule(INFERENCE_ROUTE, route.name, rules, namespace, spec)
    for agent in routes.agents:
        retry = {"retryOn": ["connect-failure", "refused-stream"], "attempts": 2}
        spec = {"timeouts": _until_silent(agent.timeout_seconds), "retry": retry}
        spec |= _allow(agent.tenants)
        rules = [rule["name"] for rule in agent_rules(agent)]
        found |= _per_rule(AGENT_ROUTE, agent.name, rules, namespace, spec)
    return found


def _until_silent(seconds: int) -> dict[str, str]:
    return {"request": "0s", "streamIdle": f"{seconds}s"}


def _allow(tenants: tuple[str, ...]) -> dict[str, Any]:
    if not tenants:
        return {}
    listed = ", ".join(f"'{tenant}'" for tenant in tenants)
    expression = f"request.headers['{TENANT_HEADER}'] in [{listed}]"
    return {"rbac": {"action": "Allow", "policy": {"matchExpressions": [expression]}}}


def _per_rule(
    route: str, public: str, rules: list[str], namespace: Any, spec: dict[str, Any]
) -> Manifests:
    targets = [
        {"group": GATEWAY_API, "kind": "HTTPRoute", "name": route, "sectionName": rule}
        for rule in rules
    ]
    name = f"route-{object_name(public)}"
    return {name: _made(KGATEWAY, "TrafficPolicy", name, namespace, {"targetRefs": targets} | spec)}
