"""The backends of a route table for agentgateway: groups that stand in for each other.

Fields are those of agentgateway 1.4's own definitions.
"""

from typing import Any

from components.base import metadata
from components.endpoint_picker import INFERENCE_API, PICKER_PORT
from inference.http_route import object_name
from inference.provider import HostedModel, Provider
from inference.routing import Backend, McpRoute, ModelRoute, RouteTable

AGENTGATEWAY = "agentgateway.dev/v1alpha1"
SERVER_LABEL = "agentic.dev/server"
"""Carried by the Pods of a model server; its value is the Service's name."""
PROVIDER_KEY = "Authorization"
FORMATS = {
    "/v1/chat/completions": "Completions",
    "/v1/embeddings": "Embeddings",
    "/v1/responses": "Responses",
    "/v1/messages": "Messages",
    "/v1/rerank": "Rerank",
}

Manifests = dict[str, dict[str, Any]]
Group = list[dict[str, Any]]


def provider_secret(provider: str) -> str:
    """The Secret with the API key of a hosted API, beside the backends that use it."""
    return f"provider-{provider}"


def home(route: ModelRoute, gateway_namespace: Any) -> Any:
    """Where a route's backend lives: a pool can only be named from its own namespace."""
    pools = [backend.namespace for backend in route.backends if backend.picker]
    return pools[0] if pools else gateway_namespace


def backend_name(route: ModelRoute, number: int | None) -> str:
    """`number` tells apart the backends that a weight or a header picks first."""
    name = object_name(route.name)
    return name if number is None else f"{name}-{number}"


def picked_first(route: ModelRoute) -> list[int | None]:
    """One entry for each backend object of the route."""
    if route.strategy in ("weight", "header") and len(route.backends) > 1:
        return list(range(len(route.backends)))
    return [None]


def backend_manifests(routes: RouteTable, *, namespace: Any) -> Manifests:
    """AgentgatewayBackends of models and MCP servers, and the pools behind the pickers."""
    found: Manifests = {}
    for route in routes.models:
        for number in picked_first(route):
            name = backend_name(route, number)
            spec = model_backend_spec(routes, route, number)
            place = home(route, namespace)
            found[f"backend-{name}"] = _made(AGENTGATEWAY, "AgentgatewayBackend", name, place, spec)
        for backend in route.backends:
            if backend.picker:
                spec = pool_spec(backend)
                version = f"{INFERENCE_API}/v1"
                pool = _made(version, "InferencePool", backend.service, backend.namespace, spec)
                found[f"pool-{backend.namespace}-{backend.service}"] = pool
    for server in routes.servers:
        name = f"mcp-{server.name}"
        spec = {"mcp": {"targets": [_mcp_target(server)]}}
        found[name] = _made(AGENTGATEWAY, "AgentgatewayBackend", name, namespace, spec)
    return found


def _made(
    version: str, kind: str, name: str, namespace: Any, spec: dict[str, Any]
) -> dict[str, Any]:
    meta = metadata(name, component="gateway", namespace=namespace)
    return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec}


def model_backend_spec(routes: RouteTable, route: ModelRoute, number: int | None) -> dict[str, Any]:
    """Groups in the order in which they are asked; within one the quickest healthy one is."""
    groups = [[_own(route, backend) for backend in group] for group in _order(route, number)]
    groups += [[_own(route, backend)] for backend in routes.attempts(route)]
    groups += [[_hosted(hosted, routes.providers[hosted.provider])] for hosted in route.hosted]
    return {
        "ai": {"groups": [{"providers": providers} for providers in _each_once(groups)]},
        "policies": {
            # A failure has to put the group aside at once, or the next try would go there again.
            "health": {
                "unhealthyCondition": "response.code >= 500 || response.code == 429",
                "eviction": {"duration": "5s", "consecutiveFailures": 1},
            },
            "http": {"requestTimeout": f"{route.timeout_seconds}s"},
        },
    }


def _order(route: ModelRoute, number: int | None) -> list[list[Backend]]:
    """The route's own backends, as groups."""
    if route.strategy == "latency":
        return [[*route.backends]]
    if number is None:
        return [[backend] for backend in route.backends]
    first = route.backends[number]
    # Siblings stand in only where fallback is asked for, as in every other gateway.
    covered = route.strategy == "weight" and bool(route.fallbacks or route.hosted)
    return [[first], *([each] for each in route.backends if covered and each != first)]


def _each_once(groups: list[Group]) -> list[Group]:
    seen: set[str] = set()
    found = []
    for group in groups:
        new = [each for each in group if each["name"] not in seen]
        seen |= {each["name"] for each in new}
        if new:
            found.append(new)
    return found


def _own(route: ModelRoute, backend: Backend) -> dict[str, Any]:
    formats = [{"type": FORMATS[path]} for path in route.paths if path in FORMATS]
    custom: dict[str, Any] = {"formats": formats}
    name = f"{backend.service}.{backend.namespace}"
    if backend.picker:
        pool = {"group": INFERENCE_API, "kind": "InferencePool", "name": backend.service}
        return {"name": name, "custom": custom | {"backendRef": pool}}
    return {"name": name, "custom": custom, "host": backend.host, "port": backend.port}


def _hosted(hosted: HostedModel, provider: Provider) -> dict[str, Any]:
    name = f"hosted.{hosted.provider}.{object_name(hosted.model)}"
    secret = {"secretRef": {"name": provider_secret(hosted.provider)}}
    if provider.kind == "bedrock":
        bedrock = {"region": provider.region, "model": hosted.model}
        auth = secret if provider.key else {"aws": {}}
        return {"name": name, "bedrock": bedrock, "policies": {"auth": auth}}
    policies: dict[str, Any] = {"auth": secret} if provider.key else {}
    if provider.tls:
        policies["tls"] = {}
    found = {
        "name": name,
        "openai": {"model": hosted.model},
        "host": provider.address,
        "port": provider.port,
        "pathPrefix": provider.path,
    }
    return found | ({"policies": policies} if policies else {})


def pool_spec(backend: Backend) -> dict[str, Any]:
    """The Pods of a model server, chosen among by the picker; without it nobody is asked."""
    return {
        "selector": {"matchLabels": {SERVER_LABEL: backend.service}},
        "targetPorts": [{"number": backend.port}],
        "endpointPickerRef": {
            "group": "",
            "kind": "Service",
            "name": backend.picker,
            "port": {"number": PICKER_PORT},
            "failureMode": "FailClose",
        },
    }


def _mcp_target(server: McpRoute) -> dict[str, Any]:
    place = {"host": server.backend.host, "port": server.port, "path": server.path}
    return {"name": server.name, "static": place | {"protocol": "StreamableHTTP"}}
