"""Envoy clusters of hosted models: each attempt is rewritten for the provider it goes to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.envoy_clusters import dns_cluster, hosted_cluster_name, http1, verified_tls
from inference.provider import HostedModel, Provider
from inference.routing import ModelRoute, RouteTable

JSON_EDITS = Path(__file__).with_name("envoy_json.lua").read_text()
_TYPE = "type.googleapis.com/envoy"

_REWRITE = """
function envoy_on_request(handle)
  local headers = handle:headers()
  local path = headers:get(":path") or ""
  headers:replace(":path", "{path}" .. path:gsub("^/v1", "", 1))
  headers:replace(":authority", "{host}")
  local body = handle:body()
  if body then
    local text = with_string(body:getBytes(0, body:length()), "model", "{model}")
    headers:replace("content-length", tostring(body:setBytes(text)))
  end
end
"""


def hosted_clusters(routes: RouteTable, keys: Mapping[str, str]) -> list[dict[str, Any]]:
    """One for each hosted model of each route; `keys` is provider → API key."""
    return [
        _cluster(route, hosted, routes.providers[hosted.provider], keys.get(hosted.provider))
        for route in routes.models
        for hosted in route.hosted
    ]


def _cluster(
    route: ModelRoute, hosted: HostedModel, provider: Provider, key: str | None
) -> dict[str, Any]:
    name = hosted_cluster_name(route, hosted)
    cluster = dns_cluster(name, ((provider.address, provider.port),))
    cluster["typed_extension_protocol_options"] = http1(_filters(hosted, provider, key))
    if provider.tls:
        cluster["transport_socket"] = verified_tls(provider.address)
    return cluster


def _filters(hosted: HostedModel, provider: Provider, key: str | None) -> list[dict[str, Any]]:
    rewrite = _REWRITE.format(path=provider.path, host=provider.address, model=hosted.model)
    filters = [_filter("lua", "lua.v3.Lua", _source(JSON_EDITS + rewrite))]
    # The tenant's name is the platform's business alone.
    changes: list[dict[str, Any]] = [{"remove": name} for name in ("x-tenant-id", "x-user-id")]
    if key:
        header = {"header": {"key": "authorization", "value": f"Bearer {key}"}}
        changes.append({"append": header | {"append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}})
    filters.append(
        _filter(
            "header_mutation",
            "header_mutation.v3.HeaderMutation",
            {"mutations": {"request_mutations": changes}},
        )
    )
    return [*filters, _filter("upstream_codec", "upstream_codec.v3.UpstreamCodec", {})]


def _source(text: str) -> dict[str, Any]:
    return {"default_source_code": {"inline_string": text}}


def _filter(name: str, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    address = f"{_TYPE}.extensions.filters.http.{kind}"
    return {"name": f"envoy.filters.http.{name}", "typed_config": {"@type": address} | config}
