"""The routes of a table for agentgateway: HTTPRoutes, GRPCRoute, grants, policies of each rule."""

from typing import Any

from components.agentgateway_backends import (
    AGENTGATEWAY,
    Manifests,
    backend_manifests,
    backend_name,
    home,
    picked_first,
)
from components.base import metadata
from inference.http_route import (
    GATEWAY_API,
    agent_route_spec,
    agent_rules,
    grpc_route_spec,
    http_route_spec,
    model_rules,
    object_name,
    reference_grant_spec,
    server_route_spec,
)
from inference.routing import TENANT_HEADER, McpRoute, ModelRoute, RouteTable

INFERENCE_ROUTE = "inference-routing"
AGENT_ROUTE = "agent-routing"
GRPC_ROUTE = "agent-grpc"
SERVER_ROUTE = "mcp-routing"
RETRIED = [429, 500, 502, 503, 504]


def manifests(routes: RouteTable, *, gateway: str, namespace: Any) -> Manifests:
    """Every object by a stable name; `namespace` is the gateway's."""

    def made(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        meta = metadata(name, component="gateway", namespace=namespace)
        return {"apiVersion": f"{GATEWAY_API}/v1", "kind": kind, "metadata": meta, "spec": spec}

    def targets(route: ModelRoute, number: int | None) -> list[dict[str, Any]]:
        return _targets(route, number, namespace)

    found = backend_manifests(routes, namespace=namespace)
    if routes.models:
        spec = http_route_spec(routes, gateway=gateway, targets=targets)
        found["route"] = made("HTTPRoute", INFERENCE_ROUTE, spec)
    if routes.agents:
        spec = agent_route_spec(routes, gateway=gateway)
        found["agents"] = made("HTTPRoute", AGENT_ROUTE, spec)
    if any(agent.grpc_port for agent in routes.agents):
        found["grpc"] = made("GRPCRoute", GRPC_ROUTE, grpc_route_spec(routes, gateway=gateway))
    if routes.servers:
        spec = server_route_spec(routes, gateway=gateway, target=_server)
        found["servers"] = made("HTTPRoute", SERVER_ROUTE, spec)
    return found | _grants(routes, namespace) | _policies(routes, namespace)


def _reference(name: str, namespace: Any) -> dict[str, Any]:
    group = AGENTGATEWAY.partition("/")[0]
    found = {"group": group, "kind": "AgentgatewayBackend", "name": name}
    return found if namespace is None else found | {"namespace": namespace}


def _targets(route: ModelRoute, number: int | None, namespace: Any) -> list[dict[str, Any]]:
    place = home(route, namespace)
    if number is not None:
        return [_reference(backend_name(route, number), place)]
    found = picked_first(route)
    if found == [None]:
        return [_reference(backend_name(route, None), place)]
    return [
        _reference(backend_name(route, each), place) | {"weight": weight}
        for each, weight in zip(found, route.weights, strict=True)
    ]


def _server(server: McpRoute) -> dict[str, Any]:
    return _reference(f"mcp-{server.name}", None)


def _grants(routes: RouteTable, namespace: Any) -> Manifests:
    """Agents' Services and the backends of pools; the gateway's own namespace needs none."""
    services: dict[str, list[str]] = {}
    others: dict[str, list[dict[str, Any]]] = {}
    for agent in routes.agents:
        services.setdefault(agent.backend.namespace, []).append(agent.backend.service)
    for route in routes.models:
        place = home(route, None)
        for number in picked_first(route) if place else ():
            named = _reference(backend_name(route, number), None)
            others.setdefault(place, []).append(named)
    found: Manifests = {}
    for place in sorted({*services, *others}):
        spec = reference_grant_spec(
            place,
            services.get(place, []),
            from_namespace=namespace,
            kinds=("HTTPRoute", "GRPCRoute"),
            others=tuple(others.get(place, ())),
        )
        meta = metadata(INFERENCE_ROUTE, component="gateway", namespace=place)
        found[f"grant-{place}"] = {
            "apiVersion": f"{GATEWAY_API}/v1",
            "kind": "ReferenceGrant",
            "metadata": meta,
            "spec": spec,
        }
    return found


def _policies(routes: RouteTable, namespace: Any) -> Manifests:
    """Who may use what, and how often a model is asked; an agent or a tool is asked once."""
    found: Manifests = {}
    for route in routes.models:
        attempts = len(route.backends) + len(routes.attempts(route)) + len(route.hosted)
        retry = {"retry": {"attempts": min(attempts, 8), "codes": RETRIED, "backoff": "25ms"}}
        rules = [rule["name"] for rule in model_rules(route)]
        traffic = retry | allow(route.tenants)
        found |= _policy(INFERENCE_ROUTE, route.name, rules, namespace, traffic)
    for agent in routes.agents:
        if agent.tenants:
            rules = [rule["name"] for rule in agent_rules(agent)]
            found |= _policy(AGENT_ROUTE, agent.name, rules, namespace, allow(agent.tenants))
    for server in routes.servers:
        if server.tenants:
            rules = [object_name(server.name)]
            name = f"mcp-{server.name}"
            found |= _policy(SERVER_ROUTE, name, rules, namespace, allow(server.tenants))
    for agent in routes.agents:
        if agent.tenants and agent.grpc_port:
            name, rules = f"grpc-{agent.name}", [f"grpc-{object_name(agent.name)}"]
            found |= _policy(
                GRPC_ROUTE, name, rules, namespace, allow(agent.tenants), kind="GRPCRoute"
            )
    return found


def allow(tenants: tuple[str, ...]) -> dict[str, Any]:
    """The rule that only these tenants pass; without tenants the gateway's own rule stands."""
    if not tenants:
        return {}
    listed = ", ".join(f'"{tenant}"' for tenant in tenants)
    expression = f'request.headers["{TENANT_HEADER}"] in [{listed}]'
    return {"authorization": {"action": "Require", "policy": {"matchExpressions": [expression]}}}


def _policy(
    route: str,
    public: str,
    rules: list[str],
    namespace: Any,
    traffic: dict[str, Any],
    *,
    kind: str = "HTTPRoute",
) -> Manifests:
    targets = [
        {"group": GATEWAY_API, "kind": kind, "name": route, "sectionName": rule} for rule in rules
    ]
    name = f"route-{object_name(public)}"
    meta = metadata(name, component="gateway", namespace=namespace)
    manifest = {"apiVersion": AGENTGATEWAY, "kind": "AgentgatewayPolicy", "metadata": meta}
    return {name: manifest | {"spec": {"targetRefs": targets, "traffic": traffic}}}
