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
    backend_ref,
    grpc_route_spec,
    http_route_spec,
    model_rules,
    object_name,
    reference_grant_spec,
    server_route_spec,
)
from inference.routing import TENANT_HEADER, Backend, ModelRoute, RouteTable

KGATEWAY = "gateway.kgateway.dev/v1alpha1"
INFERENCE_ROUTE = "inference-routing"
AGENT_ROUTE = "agent-routing"
GRPC_ROUTE = "agent-grpc"
SERVER_ROUTE = "mcp-routing"
MODEL_LIST = "model-list"

Manifests = dict[str, dict[str, Any]]


def manifests(
    routes: RouteTable,
    *,
    gateway: str,
    namespace: Any,
    limits: dict[str, Any] | None = None,
) -> Manifests:
    """Every object by a stable name; `namespace` is the gateway's.

    `limits` is what each route's policy holds about rates.
    """
    found: Manifests = {}
    for what, kind, name, spec in _routes(routes, gateway):
        found[what] = _made(f"{GATEWAY_API}/v1", kind, name, namespace, spec)
    found |= _model_list(routes, gateway, namespace)
    found |= _grants(routes, from_namespace=namespace)
    found |= _backend_policies(routes)
    for route in routes.models:
        if route.strategy in ("latency", "fallback"):
            found |= _groups(routes, route, namespace)
    return found | _behaviour(routes, namespace, limits or {})


def _routes(routes: RouteTable, gateway: str) -> list[tuple[str, str, str, dict[str, Any]]]:
    found = []
    if routes.models:
        spec = http_route_spec(routes, gateway=gateway, targets=_targets)
        found.append(("route", "HTTPRoute", INFERENCE_ROUTE, spec))
    if routes.agents:
        spec = agent_route_spec(routes, gateway=gateway)
        found.append(("agents", "HTTPRoute", AGENT_ROUTE, spec))
    if any(agent.grpc_port for agent in routes.agents):
        spec = grpc_route_spec(routes, gateway=gateway)
        found.append(("grpc", "GRPCRoute", GRPC_ROUTE, spec))
    if routes.servers:
        spec = server_route_spec(routes, gateway=gateway)
        found.append(("servers", "HTTPRoute", SERVER_ROUTE, spec))
    return found


def _targets(route: ModelRoute, number: int | None) -> list[dict[str, Any]]:
    if number is not None:
        return [backend_ref(route.backends[number])]
    if route.strategy in ("latency", "fallback"):
        return [group_ref(route)]
    single = len(route.backends) == 1
    shares = zip(route.backends, route.weights, strict=True)
    return [backend_ref(each, None if single else weight) for each, weight in shares]


def group_ref(model: ModelRoute) -> dict[str, Any]:
    """The gateway's own backend object that holds every backend of `model`."""
    name = f"{model.strategy}-{object_name(model.name)}"
    return {"group": "gateway.kgateway.dev", "kind": "Backend", "name": name}


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
    backends += [server.backend for server in routes.servers]
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
            reference_grant_spec(
                namespace,
                services,
                from_namespace=from_namespace,
                kinds=("HTTPRoute", "GRPCRoute"),
            ),
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
    # The group is one cluster of its own: a policy of its hosts' Backends would never reach it. One
    # failure puts a host aside, for the next try would go there again.
    policy = backend_policy_spec([_backend_target(name)])
    policy["outlierDetection"] |= {
        "consecutive5xx": 1,
        "interval": "1s",
        "baseEjectionTime": "5s",
        "maxEjectionPercent": 100,
    }
    found[f"{name}-policy"] = _made(KGATEWAY, "BackendConfigPolicy", name, namespace, policy)
    return found


def _backend_target(name: str) -> dict[str, str]:
    return {"group": "gateway.kgateway.dev", "kind": "Backend", "name": name}


def _static(*backends: Backend) -> dict[str, Any]:
    hosts = [{"host": backend.host, "port": backend.port} for backend in backends]
    return {"type": "Static", "static": {"hosts": hosts}}


def _behaviour(routes: RouteTable, namespace: Any, limits: dict[str, Any]) -> Manifests:
    """Streams are cut by silence, never by their length; an agent is not asked twice."""
    found: Manifests = {}
    for route in routes.models:
        retry = {
            "retryOn": ["connect-failure", "refused-stream", "gateway-error"],
            "statusCodes": [429],
            "attempts": 2,
        }
        spec = {"timeouts": _until_silent(route.timeout_seconds), "retry": retry}
        spec |= _allow(route.tenants) | limits
        rules = [rule["name"] for rule in model_rules(route)]
        found |= _per_rule(INFERENCE_ROUTE, route.name, rules, namespace, spec)
    once = {"retry": {"retryOn": ["connect-failure", "refused-stream"], "attempts": 2}}
    for agent in routes.agents:
        spec = once | {"timeouts": _until_silent(agent.timeout_seconds)} | _allow(agent.tenants)
        rules = [rule["name"] for rule in agent_rules(agent)]
        policy = _per_rule(AGENT_ROUTE, agent.name, rules, namespace, spec | limits)
        if agent.grpc_port:
            (manifest,) = policy.values()
            rule = f"grpc-{object_name(agent.name)}"
            manifest["spec"]["targetRefs"].append(_target(GRPC_ROUTE, rule, kind="GRPCRoute"))
        found |= policy
    for server in routes.servers:
        spec = once | {"timeouts": _until_silent(server.timeout_seconds)} | _allow(server.tenants)
        rules = [object_name(server.name)]
        name = f"mcp-{server.name}"
        found |= _per_rule(SERVER_ROUTE, name, rules, namespace, spec | limits)
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
    targets = [_target(route, rule) for rule in rules]
    name = f"route-{object_name(public)}"
    return {name: _made(KGATEWAY, "TrafficPolicy", name, namespace, {"targetRefs": targets} | spec)}


def _target(route: str, rule: str, *, kind: str = "HTTPRoute") -> dict[str, str]:
    return {"group": GATEWAY_API, "kind": kind, "name": route, "sectionName": rule}
