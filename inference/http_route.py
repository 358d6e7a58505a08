"""Gateway API objects of a route table: what any conforming gateway controller understands."""

from typing import Any

from inference.routing import MODEL_HEADER, AgentRoute, Backend, ModelRoute, RouteTable

GATEWAY_API = "gateway.networking.k8s.io"


def http_route_spec(
    routes: RouteTable, *, gateway: str, listener: str | None = None
) -> dict[str, Any]:
    """Spec of the HTTPRoute that serves every model of `routes`, in the table's order.

    `latency` and `fallback` need policies beside it: the route itself names their backends.
    ValueError for more than 16 rules: the Gateway API allows no more in one HTTPRoute.
    """
    parent = {"group": GATEWAY_API, "kind": "Gateway", "name": gateway}
    if listener:
        parent["sectionName"] = listener
    rules = [rule for model in routes.models for rule in model_rules(model)]
    return {"parentRefs": [parent], "rules": _at_most_sixteen(rules)}


def agent_route_spec(
    routes: RouteTable, *, gateway: str, listener: str | None = None
) -> dict[str, Any]:
    """Spec of the HTTPRoute of the agents: by name like a model, and by path over A2A."""
    parent = {"group": GATEWAY_API, "kind": "Gateway", "name": gateway}
    if listener:
        parent["sectionName"] = listener
    rules = [rule for agent in routes.agents for rule in agent_rules(agent)]
    return {"parentRefs": [parent], "rules": _at_most_sixteen(rules)}


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


def model_rules(model: ModelRoute) -> list[dict[str, Any]]:
    """The rules of one model; with the strategy `header` one for each backend."""
    if model.strategy == "header":
        return [_rule(model, backend.headers, [backend_ref(backend)]) for backend in model.backends]
    if model.strategy in ("latency", "fallback"):
        return [_rule(model, {}, [group_ref(model)])]
    shares = zip(model.backends, model.weights, strict=True)
    single = len(model.backends) == 1
    refs = [backend_ref(each, None if single else weight) for each, weight in shares]
    return [_rule(model, {}, refs)]


def _rule(model: ModelRoute, headers: dict[str, str], refs: list[dict[str, Any]]) -> dict[str, Any]:
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


def group_ref(model: ModelRoute) -> dict[str, Any]:
    """The gateway's own backend object that holds every backend of `model`."""
    return {
        "group": "gateway.kgateway.dev",
        "kind": "Backend",
        "name": f"{model.strategy}-{object_name(model.name)}",
    }


def reference_grant_spec(
    namespace: str, services: list[str], *, from_namespace: Any
) -> dict[str, Any]:
    """Lets HTTPRoutes of `from_namespace` name these Services of `namespace`, and no others."""
    if not services:
        raise ValueError(f"a grant in namespace {namespace!r} without Services would allow all")
    return {
        "from": [{"group": GATEWAY_API, "kind": "HTTPRoute", "namespace": from_namespace}],
        "to": [{"group": "", "kind": "Service", "name": name} for name in sorted(set(services))],
    }
