"""Envoy asks the rate limit service before a request and tells it the tokens afterwards."""

from typing import Any

from components.envoy_charge import UNPAID
from components.envoy_clusters import dns_cluster, http2
from components.ratelimit_config import LimitsConfig
from components.ratelimit_rules import DOMAIN, entries

LIMITS_CLUSTER = "ratelimit"
LIMITS_FILTER = "envoy.filters.http.ratelimit"
SERVICE_HOST = "ratelimit.ai-gateway.svc.cluster.local"
RESPONSE_METADATA = "agentic.response"
_TYPE = "type.googleapis.com/envoy"


def limit_filter(limits: LimitsConfig) -> dict[str, Any]:
    """The HTTP filter; what it sends stands in the routes."""
    seconds = f"{limits.timeout_milliseconds / 1000:g}s"
    # A count that got lost would be a request for free, so another Pod of the service is tried.
    retry = {
        "retry_on": "connect-failure,refused-stream,reset,unavailable,retriable-headers",
        "num_retries": max(5, limits.timeout_milliseconds // 200),
        "retry_back_off": {"base_interval": "0.02s", "max_interval": "0.3s"},
    }
    # The service answers "unknown" when it lost its store, a code that Envoy's list of codes lacks;
    # only a refusal has the status among its headers.
    status = {"key": "x-envoy-retriable-header-names", "value": "grpc-status"}
    service = {
        "envoy_grpc": {"cluster_name": LIMITS_CLUSTER, "retry_policy": retry},
        "initial_metadata": [status],
    }
    return {
        "name": LIMITS_FILTER,
        "typed_config": {
            "@type": f"{_TYPE}.extensions.filters.http.ratelimit.v3.RateLimit",
            "domain": DOMAIN,
            "timeout": seconds,
            "failure_mode_deny": limits.on_failure == "closed",
            "status_on_error": {"code": "ServiceUnavailable"},
            "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
            "rate_limit_service": {"transport_api_version": "V3", "grpc_service": service},
        },
    }


def limit_cluster(limits: LimitsConfig) -> dict[str, Any]:
    """The rate limit service; a Pod of it that fails is left out for a moment."""
    cluster = dns_cluster(LIMITS_CLUSTER, ((SERVICE_HOST, limits.port),))
    cluster["connect_timeout"] = "0.25s"
    cluster["typed_extension_protocol_options"] = http2()
    # Nobody is left to ask once all are left out.
    cluster["outlier_detection"]["max_ejection_percent"] = 50
    return cluster


def count_requests(host: dict[str, Any], limits: LimitsConfig) -> None:
    """Count every route of the virtual host that leads to a backend.

    What the gateway answers itself costs nothing. Envoy heeds the addend of a limit only here, not
    in the virtual host's own list.
    """
    kind = f"{_TYPE}.extensions.filters.http.ratelimit.v3.RateLimitPerRoute"
    counted = {"@type": kind, "rate_limits": limit_actions(limits)}
    for route in host["routes"]:
        if "route" in route:
            route["typed_per_filter_config"] = route.get("typed_per_filter_config", {}) | {
                LIMITS_FILTER: counted
            }


def limit_actions(limits: LimitsConfig) -> list[dict[str, Any]]:
    """For each group of rules: one question, and for tokens one charge when the answer ended."""
    found = []
    for first in limits.groups:
        actions = [_action(*entry) for entry in entries(first)]
        if first.kind == "requests":
            found.append({"actions": actions})
        else:
            found += _tokens(actions)
    return found


def _tokens(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    spent = f"%DYNAMIC_METADATA({RESPONSE_METADATA}:{UNPAID})%"
    return [
        {"actions": actions, "hits_addend": {"number": 0}},
        {"actions": actions, "hits_addend": {"format": spent}, "apply_on_stream_done": True},
    ]


def _action(key: str, value: str | None, header: str) -> dict[str, Any]:
    if value is not None:
        return {"generic_key": {"descriptor_key": key, "descriptor_value": value}}
    return {"request_headers": {"header_name": header, "descriptor_key": key}}
