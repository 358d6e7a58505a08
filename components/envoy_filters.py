"""Envoy's HTTP filters in their order: who asks, for which model, may they, how often."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.envoy_charge import REMEMBER, UNPAID, charge_script
from components.envoy_hosted import JSON_EDITS
from components.envoy_limits import RESPONSE_METADATA, limit_filter
from components.envoy_routes import RBAC_FILTER
from components.gateway_config import GatewayConfig, JwtConfig, RateLimitConfig
from inference.routing import MODEL_HEADER, TENANT_HEADER, USER_HEADER

REQUEST_METADATA = "agentic.request"
ISSUER_CLUSTER = "token-issuer"
IDENTITY_HEADERS = (TENANT_HEADER, USER_HEADER)
"""Set by the gateway alone; a client's own are dropped before anything reads them."""

TENANT_PATTERN = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
"""A Kubernetes name; without its length, which is more program than Envoy lets a pattern have."""

_IDENTITY = Path(__file__).with_name("envoy_identity.lua")
_TYPE = "type.googleapis.com/envoy"
_FILTERS = f"{_TYPE}.extensions.filters.http"
_LOOKS_LIKE_JWT = r"(?i)bearer +[\w-]+\.[\w-]+\.[\w-]*"

USAGE = {name: name for name in ("prompt_tokens", "completion_tokens", "total_tokens")} | {
    UNPAID: "total_tokens"
}
"""What an answer's metadata is called, and which member of `usage` it is."""

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

_REMEMBER = REMEMBER.format(request=REQUEST_METADATA, tenant=TENANT_HEADER, model=MODEL_HEADER)

# Without the usage at its end a stream could not be counted; a client may not switch it off.
_USAGE_OF_STREAMS = f"""
function envoy_on_request(handle)
{_REMEMBER}
  local found = handle:streamInfo():dynamicMetadata():get("{REQUEST_METADATA}")
  if not (found and found["stream"] == true) then
    return
  end
  local path = handle:headers():get(":path") or ""
  local body = path:match("^/v1/chat/completions") and handle:body()
  if body then
    local text = body:getBytes(0, body:length())
    local asked = with_member(text, '"stream_options":{{"include_usage":true}}')
    handle:headers():replace("content-length", tostring(body:setBytes(asked)))
  end
end
"""


def http_filters(
    config: GatewayConfig, *, api_keys: Mapping[str, str], jwks: str | None
) -> list[dict[str, Any]]:
    """The chain; each filter trusts only what one before it established."""
    filters = [_health_check()]
    if config.jwt:
        filters.append(_jwt_auth(config.jwt, jwks, forward=config.forward_token))
    filters.append(_identity(api_keys))
    # Only now: a stranger's body must not fill the gateway's memory.
    if config.limits and config.limits.counts_tokens:
        # Before those that read the usage: an answer passes the filters from the last to the first.
        script = charge_script(config.limits, request=REQUEST_METADATA, response=RESPONSE_METADATA)
        filters.append(_lua("charge", script))
    filters += [_json_to_metadata(), _sse_to_metadata()]
    filters += [_lua("model-from-body", _MODEL_FROM_BODY), _access_control()]
    if config.rate_limit:
        filters.append(_rate_limit(config.rate_limit, tells=config.limits is None))
    if config.limits:
        filters.append(limit_filter(config.limits))
        if config.limits.counts_tokens:
            filters.append(_lua("usage-of-streams", JSON_EDITS + _USAGE_OF_STREAMS))
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


def _jwt_auth(jwt: JwtConfig, jwks: str | None, *, forward: bool) -> dict[str, Any]:
    """Checks what looks like a token; a bad one sets no tenant, and `identity` refuses it.

    Envoy's own answer would be 403 for a wrong audience and 401 for the rest.
    """
    provider = {
        "issuer": jwt.issuer,
        "audiences": [jwt.audience],
        "require_expiration": True,
        "forward": forward,
        "failed_status_in_metadata": "refusal",
        "claim_to_headers": [
            {"header_name": TENANT_HEADER, "claim_name": jwt.tenant_claim},
            {"header_name": USER_HEADER, "claim_name": jwt.user_claim},
        ],
    } | _jwks(jwt, jwks)
    token = {"name": "authorization", "string_match": {"safe_regex": {"regex": _LOOKS_LIKE_JWT}}}
    either = [{"provider_name": "tokens"}, {"allow_missing_or_failed": {}}]
    rule = {
        "match": {"prefix": "/", "headers": [token]},
        "requires": {"requires_any": {"requirements": either}},
    }
    return _filter(
        "envoy.filters.http.jwt_authn",
        "jwt_authn.v3.JwtAuthentication",
        {"providers": {"tokens": provider}, "rules": [rule]},
    )


def _jwks(jwt: JwtConfig, jwks: str | None) -> dict[str, Any]:
    if jwt.jwks_url is None:
        return {"local_jwks": {"inline_string": jwks}}
    place = {"uri": jwt.jwks_url, "cluster": ISSUER_CLUSTER, "timeout": "5s"}
    keys = {
        "http_uri": place,
        "cache_duration": "600s",
        "async_fetch": {"failed_refetch_duration": "1s"},
        "retry_policy": {"num_retries": 3},
    }
    return {"remote_jwks": keys}


def _json_to_metadata() -> dict[str, Any]:
    def found(namespace: str, *path: str, key: str | None = None) -> dict[str, Any]:
        return {
            "selectors": [{"key": each} for each in path],
            "on_present": {"metadata_namespace": namespace, "key": key or path[-1]},
        }

    return _filter(
        "envoy.filters.http.json_to_metadata",
        "json_to_metadata.v3.JsonToMetadata",
        {
            "request_rules": {
                "rules": [found(REQUEST_METADATA, name) for name in ("model", "stream")],
                "allow_empty_content_type": True,
            },
            "response_rules": {
                "rules": [
                    found(RESPONSE_METADATA, "usage", name, key=key) for key, name in USAGE.items()
                ],
            },
        },
    )


def _sse_to_metadata() -> dict[str, Any]:
    """The usage that a stream tells in its last event, or so far in each."""
    rules = [
        {
            "rule": {
                "selectors": [{"key": "usage"}, {"key": name}],
                "on_present": {
                    "metadata_namespace": RESPONSE_METADATA,
                    "key": key,
                    "type": "NUMBER",
                },
            }
        }
        for key, name in USAGE.items()
    ]
    parser = {
        "name": "envoy.content_parsers.json",
        "typed_config": {
            "@type": f"{_TYPE}.extensions.content_parsers.json.v3.JsonContentParser",
            "rules": rules,
        },
    }
    return _filter(
        "envoy.filters.http.sse_to_metadata",
        "sse_to_metadata.v3.SseToMetadata",
        {"response_rules": {"content_parser": parser}},
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


def _rate_limit(limit: RateLimitConfig, *, tells: bool) -> dict[str, Any]:
    """`tells` whether the answers say what is left; two limits would both write those headers."""
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
            "enable_x_ratelimit_headers": "DRAFT_VERSION_03" if tells else "OFF",
        },
    )
