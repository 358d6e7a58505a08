"""Gateway API objects of a route table: what any conforming gateway controller understands."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from inference.routing import (
    MODEL_HEADER,
    AgentRoute,
    Backend,
    McpRoute,
    ModelRoute,
    RouteTable,
)

GATEWAY_API = "gateway.networking.k8s.io"
Reference = dict[str, Any]
Targets = Callable[[ModelRoute, int | None], list[Reference]]
"""The backendRefs of one rule: of a model, and with the strategy `header` of its n-th backend."""


def http_route_spec(
    routes: RouteTable, *, gateway: str, targets: Targets | None = None
) -> dict[str, Any]:
    """Spec of the HTTPRoute that serves every model of `routes`, in the table's order.

    `targets` names an implementation's own backends; by default Services, which know neither
    `latency` nor `fallback`. ValueError for more than 16 rules: the Gateway API allows no more.
    """
    rules = [rule for model in routes.models for rule in model_rules(model, targets)]
    return {"parentRefs": [gateway_ref(gateway)], "rules": _at_most_sixteen(rules)}


def agent_route_spec(routes: RouteTable, *, gateway: str) -> dict[str, Any]:
    """Spec of the HTTPRoute of the agents: by name like a model, and by path over A2A."""
    rules = [rule for agent in routes.agents for rule in agent_rules(agent)]
    return {"parentRefs": [gateway_ref(gateway)], "rules": _at_most_sixteen(rules)}


def grpc_route_spec(routes: RouteTable, *, gateway: str) -> dict[str, Any]:
    """Spec of the GRPCRoute of the agents that speak A2A over gRPC: by name in the metadata."""
    rules = [
        {
            "name": f"grpc-{object_name(agent.name)}",
            "matches": [
                {"headers": [{"type": "Exact", "name": MODEL_HEADER, "value": agent.name}]}
            ],
            "backendRefs": [backend_ref(agent.grpc_backend)],
        }
        for agent in routes.agents
        if agent.grpc_backend is not None
    ]
    return {"parentRefs": [gateway_ref(gateway)], "rules": _at_most_sixteen(rules)}


def server_route_spec(
    routes: RouteTable,
    *,
    gateway: str,
    target: Callable[[McpRoute], Reference] | None = None,
) -> dict[str, Any]:
    """Spec of the HTTPRoute of the MCP servers; without `target` it leads to the Services."""
    rules = []
    for server in routes.servers:
        path = {"type": "PathPrefix", "value": f"/mcp/{server.name}"}
        rule: dict[str, Any] = {
            "name": object_name(server.name),
            "matches": [{"path": path}],
            "backendRefs": [target(server) if target else backend_ref(server.backend)],
        }
        if target is None:
            changed = {"type": "ReplacePrefixMatch", "replacePrefixMatch": server.path}
            rule["filters"] = [{"type": "URLRewrite", "urlRewrite": {"path": changed}}]
        rules.append(rule)
    return {"parentRefs": [gateway_ref(gateway)], "rules": _at_most_sixteen(rules)}


def gateway_ref(name: str) -> Reference:
    """The Gateway as a parent or as a policy's target."""
    return {"group": GATEWAY_API, "kind": "Gateway", "name": name}


def name_clashes(routes: RouteTable) -> list[str]:
    """A line for each two models whose names become one Kubernetes name."""
    made = Counter(object_name(name) for name in routes.names)
    return [
        f"the models {' and '.join(repr(n) for n in routes.names if object_name(n) == name)} both "
        f"become {name!r} as an object's name; rename one of them"
        for name, count in made.items()
        if count > 1
    ]


def agent_rules(agent: AgentRoute) -> list[dict[str, Any]]:
    name = object_name(agent.name)
    named = [{"type": "Exact", "name": MODEL_HEADER, "value": agent.name}]
    by_path = {"path": {"type": "PathPrefix", "value": f"/a2a/{agent.name}"}}
    stripped = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
    return [
        {
            "name": name,
            "matches": [{"path": {"type": "PathPrefix", "value": "/v1"}, "headers": named}],
            "backendRefs": [backend_ref(agent.backend)],
        },
        {
            "name": f"a2a-{name}",
            "matches": [by_path],
            "filters": [{"type": "URLRewrite", "urlRewrite": {"path": stripped}}],
            "backendRefs": [backend_ref(agent.backend)],
        },
    ]


def _at_most_sixteen(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(rules) > 16:
        raise ValueError(
            f"an HTTPRoute with {len(rules)} rules; the Gateway API allows 16: serve fewer names "
            "from one gateway"
        )
    return rules


def model_rules(model: ModelRoute, targets: Targets | None = None) -> list[dict[str, Any]]:
    """The rules of one model; with the strategy `header` one for each backend."""
    found = targets or _services
    if model.strategy == "header":
        return [
            _rule(model, backend.headers, found(model, number))
            for number, backend in enumerate(model.backends)
        ]
    return [_rule(model, {}, found(model, None))]


def _services(model: ModelRoute, number: int | None) -> list[Reference]:
    if number is not None:
        return [backend_ref(model.backends[number])]
    if len(model.backends) == 1:
        return [backend_ref(model.backends[0])]
    shares = zip(model.backends, model.weights, strict=True)
    return [backend_ref(each, weight) for each, weight in shares]


def _rule(model: ModelRoute, headers: dict[str, str], refs: list[Reference]) -> dict[str, Any]:
    named = {MODEL_HEADER: model.name} | headers
    listed = [{"type": "Exact", "name": key, "value": value} for key, value in named.items()]
    return {
        "name": object_name("-".join([model.name, *headers.values()])),
        "matches": [
            {"path": {"type": "PathPrefix", "value": path}, "headers": listed}
            for path in model.paths
        ],
        "backendRefs": refs,
    }


def backend_ref(backend: Backend, weight: int | None = None) -> dict[str, Any]:
    reference: dict[str, Any] = {
        "group": "",
        "kind": "Service",
        "name": backend.service,
        "namespace": backend.namespace,
        "port": backend.port,
    }
    return reference if weight is None else reference | {"weight": weight}


def object_name(public: str) -> str:
    """A Kubernetes name for a public model name, which may hold dots, slashes and capitals."""
    letters = "".join(c if c.isalnum() else "-" for c in public.lower())
    return letters[:50].strip("-")


def reference_grant_spec(
    namespace: str,
    services: list[str],
    *,
    from_namespace: Any,
    kinds: tuple[str, ...] = ("HTTPRoute",),
    others: tuple[Reference, ...] = (),
) -> dict[str, Any]:
    """Lets routes of `from_namespace` name these Services of `namespace`, and no others.

    `others` are further objects that they may name: `group`, `kind`, `name`.
    """
    if not services and not others:
        raise ValueError(f"a grant in namespace {namespace!r} without Services would allow all")
    named = [{"group": "", "kind": "Service", "name": name} for name in sorted(set(services))]
    return {
        "from": [
            {"group": GATEWAY_API, "kind": kind, "namespace": from_namespace} for kind in kinds
        ],
        "to": [*named, *others],
    }
