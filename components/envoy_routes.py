"""Envoy's routes: public names to clusters, and the answers that the gateway gives itself."""

import json
from typing import Any

from components.envoy_clusters import chain_name, chains, cluster_name
from inference.routing import (
    MODEL_HEADER,
    TENANT_HEADER,
    AgentRoute,
    McpRoute,
    ModelRoute,
    RouteTable,
)

RBAC_FILTER = "envoy.filters.http.rbac"
_TYPE = "type.googleapis.com/envoy"
_BEFORE_ANSWER = "connect-failure,refused-stream"


def virtual_host(routes: RouteTable) -> dict[str, Any]:
    """One virtual host for every name: the first route that matches answers."""
    listed = [_models_list(routes, tenant) for tenant in (*routes.tenants, None)]
    for model in routes.models:
        listed += _model_routes(routes, model)
    for agent in routes.agents:
        listed += _agent_routes(agent)
    listed += [_server_route(server) for server in routes.servers]
    listed.append(_no_model_named())
    listed += [_unknown_model(routes, tenant) for tenant in (*routes.tenants, None)]
    listed.append(_no_such_path())
    return {
        "name": "platform",
        "domains": ["*"],
        "routes": listed,
        "response_headers_to_add": [_response_header("x-trace-id", "%TRACE_ID%")],
    }


def _header_is(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "string_match": {"exact": value}}


def _response_header(key: str, value: str) -> dict[str, Any]:
    return {
        "header": {"key": key, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def _model_routes(routes: RouteTable, model: ModelRoute) -> list[dict[str, Any]]:
    named = [_header_is(MODEL_HEADER, model.name)]
    orders = chains(routes, model)
    action = _model_action(model, longest=max(len(order) for order in orders))
    targets: list[tuple[list[dict[str, Any]], dict[str, Any]]] = []
    if model.strategy == "header":
        for backend, order in zip(model.backends, orders, strict=True):
            chosen = [_header_is(key, value) for key, value in backend.headers.items()]
            targets.append((named + chosen, {"cluster": chain_name(order)}))
    elif len(orders) == 1:
        targets.append((named, {"cluster": chain_name(orders[0])}))
    else:
        shares = [
            {"name": chain_name(order), "weight": weight}
            for order, weight in zip(orders, model.weights, strict=True)
        ]
        targets.append((named, {"weighted_clusters": {"clusters": shares}}))
    return [
        {
            "match": {"path_separated_prefix": path, "headers": headers},
            "route": action | target,
            "typed_per_filter_config": _only(model.tenants),
        }
        for path in model.paths
        for headers, target in targets
    ]


def _model_action(model: ModelRoute, *, longest: int) -> dict[str, Any]:
    """A request may move on until the first byte of an answer; a flowing answer is never cut."""
    silence = f"{model.timeout_seconds}s"
    retry: dict[str, Any] = {
        "retry_on": f"{_BEFORE_ANSWER},gateway-error",
        "num_retries": 1,
        "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
    }
    if longest > 1:
        retry |= {
            "retry_on": "5xx,connect-failure,refused-stream,reset,retriable-status-codes",
            "retriable_status_codes": [429],
            "num_retries": longest,
            "per_try_idle_timeout": silence,
            "retry_priority": {
                "name": "envoy.retry_priorities.previous_priorities",
                "typed_config": {
                    "@type": f"{_TYPE}.extensions.retry.priority.previous_priorities.v3."
                    "PreviousPrioritiesConfig",
                    "update_frequency": 1,
                },
            },
        }
    return {
        "timeout": "0s",
        "idle_timeout": f"{model.timeout_seconds * longest}s",
        "retry_policy": retry,
    }


def _agent_routes(agent: AgentRoute) -> list[dict[str, Any]]:
    """An agent acts on the world, so only a request that never reached it is sent again."""
    action = {
        "cluster": cluster_name(agent.backend),
        "timeout": "0s",
        "idle_timeout": f"{agent.timeout_seconds}s",
        "retry_policy": {"retry_on": _BEFORE_ANSWER, "num_retries": 2},
    }
    by_name = {"path_separated_prefix": "/v1", "headers": [_header_is(MODEL_HEADER, agent.name)]}
    # A prefix rewritten to "/" would leave two slashes before the rest.
    rewrite = {"regex_rewrite": {"pattern": {"regex": "^/a2a/[^/?]+/?"}, "substitution": "/"}}
    allowed = _only(agent.tenants)
    grpc = []
    if agent.grpc_backend:
        named = {"prefix": "/", "grpc": {}, "headers": [_header_is(MODEL_HEADER, agent.name)]}
        target = action | {"cluster": cluster_name(agent.grpc_backend)}
        grpc = [{"match": named, "route": target, "typed_per_filter_config": allowed}]
    return [
        *grpc,
        {"match": by_name, "route": action, "typed_per_filter_config": allowed},
        {
            "match": {"path_separated_prefix": f"/a2a/{agent.name}"},
            "route": action | rewrite,
            "typed_per_filter_config": allowed,
        },
    ]


def _server_route(server: McpRoute) -> dict[str, Any]:
    """A tool may act on the world: like an agent it is not called twice."""
    rewrite = {"pattern": {"regex": "^/mcp/[^/?]+"}, "substitution": server.path.rstrip("/")}
    action = {
        "cluster": cluster_name(server.backend),
        "regex_rewrite": rewrite,
        "timeout": "0s",
        "idle_timeout": f"{server.timeout_seconds}s",
        "retry_policy": {"retry_on": _BEFORE_ANSWER, "num_retries": 2},
    }
    return {
        "match": {"path_separated_prefix": f"/mcp/{server.name}"},
        "route": action,
        "typed_per_filter_config": _only(server.tenants),
    }


def _only(tenants: tuple[str, ...]) -> dict[str, Any]:
    """The route's own access rule; without tenants the listener's rule stands."""
    if not tenants:
        return {}
    principals = [{"header": _header_is(TENANT_HEADER, tenant)} for tenant in tenants]
    policy = {"permissions": [{"any": True}], "principals": principals}
    return {
        RBAC_FILTER: {
            "@type": f"{_TYPE}.extensions.filters.http.rbac.v3.RBACPerRoute",
            "rbac": {"rules": {"action": "ALLOW", "policies": {"tenants": policy}}},
        }
    }


def _direct(match: dict[str, Any], status: int, body: str) -> dict[str, Any]:
    return {
        "match": match,
        "direct_response": {"status": status, "body": {"inline_string": body}},
    }


def _of_tenant(tenant: str | None) -> list[dict[str, Any]]:
    return [] if tenant is None else [_header_is(TENANT_HEADER, tenant)]


def _models_list(routes: RouteTable, tenant: str | None) -> dict[str, Any]:
    models = [
        {"id": name, "object": "model", "created": 0, "owned_by": "platform"}
        for name in routes.allowed(tenant)
    ]
    body = json.dumps({"object": "list", "data": models})
    return _direct({"path": "/v1/models", "headers": _of_tenant(tenant)}, 200, body) | {
        "response_headers_to_add": [_response_header("content-type", "application/json")]
    }


def _no_model_named() -> dict[str, Any]:
    absent = {"name": MODEL_HEADER, "present_match": False}
    body = f"the request names no model: send 'model' in the JSON body or the header {MODEL_HEADER}"
    return _direct({"path_separated_prefix": "/v1", "headers": [absent]}, 400, body)


def _unknown_model(routes: RouteTable, tenant: str | None) -> dict[str, Any]:
    allowed = ", ".join(routes.allowed(tenant)) or "none"
    body = f"no such model at this path; yours are: {allowed}"
    match = {"path_separated_prefix": "/v1", "headers": _of_tenant(tenant)}
    return _direct(match, 404, body)


def _no_such_path() -> dict[str, Any]:
    return _direct({"prefix": "/"}, 404, "no such path; the API is under /v1 and /a2a/<agent>")
