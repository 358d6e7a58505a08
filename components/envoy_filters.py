"""Envoy's HTTP filters in their order: who asks, for which model, may they, how often."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.envoy_routes import RBAC_FILTER
from components.gateway_config import GatewayConfig, JwtConfig, RateLimitConfig
from inference.routing import MODEL_HEADER, TENANT_HEADER, USER_HEADER

REQUEST_METADATA = "agentic.request"
RESPONSE_METADATA = "agentic.response"
IDENTITY_HEADERS = (TENANT_HEADER, USER_HEADER)
"""Set by the gateway alone; a client's own are dropped before anything reads them."""

TENANT_PATTERN = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
"""A Kubernetes name; without its length, which is more program than Envoy lets a pattern have."""

_IDENTITY = Path(__file__).with_name("envoy_identity.lua")
_TYPE = "type.googleapis.com/envoy"
_FILTERS = f"{_TYPE}.extensions.filters.http"
_LOOKS_LIKE_JWT = r"(?i)bearer +[\w-]+\.[\w-]+\.[\w-]*"

# What a client wrote into the body becomes a header, so it has to look like a name.
_MODEL_FROM_BODY = f"""
function envoy_on_request(handle)
  local headers = handle:headers()
  if headers:get("{MODEL_HEADER}") == nil then
    local found = handle:streamInfo():dynamicMetadata():get("{REQUEST_METADATA}")
    local model = found and found["model"]
    if type(model) == "string" and #model <= 128 and model:match("^[%w._:/@-]+$") then
      headers:replace("{MODEL_HEADER}", model)
    end
  end
  handle:clearRouteCache()
end
"""


def http_filters(
    config: GatewayConfig, *, api_keys: Mapping[str, str], jwks: str | None
) -> list[dict[str, Any]]:
    """The chain; each filter trusts only what one before it established."""
    filters = [_health_check()]
    if config.jwt and jwks:
        filters.append(_jwt_auth(config.jwt, jwks, forward=config.forward_token))
    filters.append(_identity(api_keys))
    # Only now: a stranger's body must not fill the gateway's memory.
    filters += [_json_to_metadata(), _lua("model-from-body", _MODEL_FROM_BODY), _access_control()]
    if config.rate_limit:
        filters.append(_rate_limit(config.rate_limit))
    return [*filters, _filter("envoy.filters.http.router", "router.v3.Router", {})]


def _filter(name: str, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "typed_config": {"@type": f"{_FILTERS}.{kind}"} | config}


def _health_check() -> dict[str, Any]:
    path = {"name": ":path", "string_match": {"exact": "/healthz"}}
    return _filter(
        "envoy.filters.http.health_check",
        "health_check.v3.HealthCheck",
        {"pass_through_mode": False, "headers": [path]},
    )


def _identity(api_keys: Mapping[str, str]) -> dict[str, Any]:
    """A tenant for every request that passes: the token's, else that of a known API key."""
    digests = ", ".join(
        f'["{hashlib.sha256(key.encode()).hexdigest()}"] = "{tenant}"'
        for tenant, key in api_keys.items()
    )
    return _lua("identity", _IDENTITY.read_text().replace("--[[tenants]]", digests))


def _lua(name: str, text: str) -> dict[str, Any]:
    return _filter(name, "lua.v3.Lua", {"default_source_code": {"inline_string": text}})


def _jwt_auth(jwt: JwtConfig, jwks: str, *, forward: bool) -> dict[str, Any]:
    provider = {
        "issuer": jwt.issuer,
        "audiences": [jwt.audience],
        "require_expiration": True,
        "forward": forward,
        "local_jwks": {"inline_string": jwks},
        "claim_to_headers": [
            {"header_name": TENANT_HEADER, "claim_name": jwt.tenant_claim},
            {"header_name": USER_HEADER, "claim_name": jwt.user_claim},
        ],
    }
    token = {"name": "authorization", "string_match": {"safe_regex": {"regex": _LOOKS_LIKE_JWT}}}
    rule = {
        "match": {"prefix": "/", "headers": [token]},
        "requires": {"provider_name": "tokens"},
    }
    return _filter(
        "envoy.filters.http.jwt_authn",
        "jwt_authn.v3.JwtAuthentication",
        {"providers": {"tokens": provider}, "rules": [rule]},
    )


def _json_to_metadata() -> dict[str, Any]:
    def found(namespace: str, *path: str) -> dict[str, Any]:
        return {
            "selectors": [{"key": key} for key in path],
            "on_present": {"metadata_namespace": namespace, "key": path[-1]},
        }

    usage = ("prompt_tokens", "completion_tokens", "total_tokens")
    return _filter(
        "envoy.filters.http.json_to_metadata",
        "json_to_metadata.v3.JsonToMetadata",
        {
            "request_rules": {
                "rules": [found(REQUEST_METADATA, "model")],
                "allow_empty_content_type": True,
            },
            "response_rules": {
                "rules": [found(RESPONSE_METADATA, "usage", name) for name in usage],
            },
        },
    )


def _access_control() -> dict[str, Any]:
    """Nobody without a tenant passes, whichever way they were authenticated.

    A token's claim may hold anything, so it also has to look like a tenant's name.
    """
    name = {"safe_regex": {"regex": TENANT_PATTERN}}
    principal = {"header": {"name": TENANT_HEADER, "string_match": name}}
    policy = {"permissions": [{"any": True}], "principals": [principal]}
    return _filter(
        RBAC_FILTER,
        "rbac.v3.RBAC",
        {"rules": {"action": "ALLOW", "policies": {"has-a-tenant": policy}}},
    )


def _rate_limit(limit: RateLimitConfig) -> dict[str, Any]:
    everything = {"numerator": 100, "denominator": "HUNDRED"}
    window = f"{limit.seconds}s"

    def bucket(requests: int) -> dict[str, Any]:
        return {"max_tokens": requests, "tokens_per_fill": requests, "fill_interval": window}

    # Without a value the descriptor matches every tenant and each gets a bucket of its own.
    descriptors = [
        {"entries": [{"key": "tenant", "value": tenant}], "token_bucket": bucket(requests)}
        for tenant, requests in limit.tenants.items()
    ] + [{"entries": [{"key": "tenant"}], "token_bucket": bucket(limit.requests)}]
    by_tenant = {"request_headers": {"header_name": TENANT_HEADER, "descriptor_key": "tenant"}}
    return _filter(
        "envoy.filters.http.local_ratelimit",
        "local_ratelimit.v3.LocalRateLimit",
        {
            "stat_prefix": "tenant",
            "filter_enabled": {"runtime_key": "tenant_limit.on", "default_value": everything},
            "filter_enforced": {"runtime_key": "tenant_limit.hard", "default_value": everything},
            "token_bucket": bucket(1_000_000),
            "always_consume_default_token_bucket": False,
            "descriptors": descriptors,
            "max_dynamic_descriptors": 10_000,
            "rate_limits": [{"actions": [by_tenant]}],
            "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        },
    )
