"""Hosted models in Envoy: a door inside the proxy that rewrites what goes through for a provider.

A request that moves on along a chain of clusters passes no filters again, and a provider wants
another model name, path, host and key than the platform's own backends. So each hosted model is a
listener inside the process: the chain's cluster leads there, and its filters know the provider.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.envoy_clusters import dns_cluster, hosted_cluster_name, verified_tls
from inference.provider import HostedModel, Provider
from inference.routing import ModelRoute, RouteTable

JSON_EDITS = Path(__file__).with_name("envoy_json.lua").read_text()
_TYPE = "type.googleapis.com/envoy"

_REWRITE = """
function envoy_on_request(handle)
  local body = handle:body()
  if body then
    local text = with_string(body:getBytes(0, body:length()), "model", "{model}")
    handle:headers():replace("content-length", tostring(body:setBytes(text)))
  end
  local headers = handle:headers()
  local rest = (headers:get(":path") or ""):gsub("^/v1", "", 1)
  headers:replace(":path", "{path}" .. rest)
end
"""

_PRIVATE = ("x-tenant-id", "x-user-id", "x-model-id", "x-forwarded-for", "x-forwarded-proto")
"""What a provider has no business with; Envoy's own headers go by their prefix."""


def hosted_clusters(routes: RouteTable) -> list[dict[str, Any]]:
    """Two for each hosted model: the door, and the provider behind it."""
    found = []
    for route, hosted, provider in _each(routes):
        name = hosted_cluster_name(route, hosted)
        found.append(_door(name))
        behind = dns_cluster(_behind(name), ((provider.address, provider.port),))
        if provider.tls:
            behind["transport_socket"] = verified_tls(provider.address)
        found.append(behind)
    return found


def hosted_listeners(
    routes: RouteTable, keys: Mapping[str, str], *, max_bytes: int
) -> list[dict[str, Any]]:
    """The doors; `keys` is provider → API key."""
    return [
        _listener(hosted_cluster_name(route, hosted), hosted, provider, keys, max_bytes)
        for route, hosted, provider in _each(routes)
    ]


def internal_listeners() -> dict[str, Any]:
    """The extension without which Envoy knows no listener inside the process."""
    kind = f"{_TYPE}.extensions.bootstrap.internal_listener.v3.InternalListener"
    return {"name": "envoy.bootstrap.internal_listener", "typed_config": {"@type": kind}}


def _each(routes: RouteTable) -> list[tuple[ModelRoute, HostedModel, Provider]]:
    return [
        (route, hosted, routes.providers[hosted.provider])
        for route in routes.models
        for hosted in route.hosted
    ]


def _behind(name: str) -> str:
    return f"{name}/api"


def _door(name: str) -> dict[str, Any]:
    cluster = dns_cluster(name, ())
    del cluster["cluster_type"]
    address = {"envoy_internal_address": {"server_listener_name": name}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    placed = {"cluster_name": name, "endpoints": endpoints}
    return cluster | {"type": "STATIC", "load_assignment": placed}


def _listener(
    name: str,
    hosted: HostedModel,
    provider: Provider,
    keys: Mapping[str, str],
    max_bytes: int,
) -> dict[str, Any]:
    target = {
        "cluster": _behind(name),
        "timeout": "0s",
        "host_rewrite_literal": provider.address,
    }
    everything = {
        "match": {"prefix": "/"},
        "route": target,
        # Not by a filter: Envoy finds no route for a request without x-forwarded-proto.
        "request_headers_to_remove": [*_PRIVATE],
    }
    manager = "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    config = {
        "@type": f"{_TYPE}.{manager}",
        "stat_prefix": "hosted",
        "stream_idle_timeout": "0s",
        "route_config": {
            "name": name,
            "virtual_hosts": [{"name": name, "domains": ["*"], "routes": [everything]}],
        },
        "http_filters": _filters(hosted, provider, keys.get(hosted.provider)),
    }
    http = "envoy.filters.network.http_connection_manager"
    return {
        "name": name,
        "internal_listener": {},
        "per_connection_buffer_limit_bytes": max_bytes,
        "filter_chains": [{"filters": [{"name": http, "typed_config": config}]}],
    }


def _filters(hosted: HostedModel, provider: Provider, key: str | None) -> list[dict[str, Any]]:
    rewrite = _REWRITE.format(path=provider.path, model=hosted.model)
    source = {"default_source_code": {"inline_string": JSON_EDITS + rewrite}}
    changes: list[dict[str, Any]] = [
        {"remove_on_match": {"key_matcher": {"prefix": "x-envoy-"}}},
        # A client's own JWT, where the platform hands tokens on, is not for others.
        {"remove": "authorization"},
    ]
    if key:
        header = {"key": "authorization", "value": f"Bearer {key}"}
        added = {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        changes.append({"append": added})
    mutations = {"mutations": {"request_mutations": changes}}
    signing = [_signature(provider)] if provider.kind == "bedrock" and key is None else []
    return [
        _filter("lua", "lua.v3.Lua", source),
        _filter("header_mutation", "header_mutation.v3.HeaderMutation", mutations),
        *signing,
        _filter("router", "router.v3.Router", {"suppress_envoy_headers": True}),
    ]


def _signature(provider: Provider) -> dict[str, Any]:
    """SigV4 with what the Pod's environment or its identity gives: no credential is written here.

    A client's headers stay out of the signature: the route and proxies on the way change some.
    """
    signed = [{"exact": "content-type"}, {"prefix": "x-amz-"}]
    chain = {
        "custom_credential_provider_chain": True,
        "environment_credential_provider": {},
        "container_credential_provider": {},
    }
    return _filter(
        "aws_request_signing",
        "aws_request_signing.v3.AwsRequestSigning",
        {
            "service_name": "bedrock",
            "region": provider.region,
            "host_rewrite": provider.address,
            "match_included_headers": signed,
            "credential_provider": chain,
        },
    )


def _filter(name: str, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    address = f"{_TYPE}.extensions.filters.http.{kind}"
    return {"name": f"envoy.filters.http.{name}", "typed_config": {"@type": address} | config}
