"""The whole configuration of a plain Envoy, from the same routes that kgateway gets."""

from collections.abc import Mapping
from typing import Any

import yaml

from components.envoy_admin import admin, admin_cluster, status_listener
from components.envoy_charge import counts_cluster
from components.envoy_clusters import TRACES_CLUSTER, backend_clusters, traces_cluster, url_cluster
from components.envoy_filters import IDENTITY_HEADERS, ISSUER_CLUSTER, http_filters
from components.envoy_hosted import hosted_clusters, hosted_listeners, internal_listeners
from components.envoy_limits import SERVICE_HOST, count_requests, limit_cluster
from components.envoy_replies import access_log, local_replies
from components.envoy_routes import virtual_host
from components.gateway_config import GATEWAY_NAME, GatewayConfig
from inference.routing import MODEL_HEADER, TENANT_HEADER, RouteTable

ADDRESS = "${POD_IP}"
"""Envoy expands no variables: the Pod's launcher puts the Pod's address here."""
DATA_PORT = 8080
TLS_PORT = 8443
STATUS_PORT = 9901
TLS_FOLDER = "/etc/envoy-tls"
TLS_FILE = "tls.yaml"

_TYPE = "type.googleapis.com/envoy"


def bootstrap(
    config: GatewayConfig,
    routes: RouteTable,
    *,
    api_keys: Mapping[str, str],
    jwks: str | None = None,
    provider_keys: Mapping[str, str] | None = None,
    traces_url: str | None = None,
    traces_headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Envoy's bootstrap; `api_keys` is tenant → key, `provider_keys` hosted API → key: a secret.

    ValueError: nobody could be authenticated, or a key is one that can't work.
    """
    check_credentials(config, api_keys=api_keys, jwks=jwks)
    clusters = [*backend_clusters(routes), *hosted_clusters(routes)]
    if config.jwt and config.jwt.jwks_url:
        clusters.append(url_cluster(ISSUER_CLUSTER, config.jwt.jwks_url))
    if config.limits:
        clusters.append(limit_cluster(config.limits))
        if config.limits.counts_tokens:
            clusters.append(counts_cluster(SERVICE_HOST))
    if traces_url:
        clusters.append(traces_cluster(traces_url))
    manager = _connection_manager(config, routes)
    manager["http_filters"] = http_filters(config, api_keys=api_keys, jwks=jwks)
    if traces_url:
        manager["tracing"] = _tracing(traces_url, traces_headers or {}, config.tracing_percent)
    listeners = [_listener("public", DATA_PORT, manager, config)]
    if config.tls and config.tls.issuer:
        listeners.append(_listener("public-tls", TLS_PORT, manager, config, socket=_tls()))
    listeners.append(status_listener(_address(STATUS_PORT)))
    doors = hosted_listeners(routes, provider_keys or {}, max_bytes=config.max_request_bytes)
    return {
        **({"bootstrap_extensions": [internal_listeners()]} if doors else {}),
        "node": {"id": GATEWAY_NAME, "cluster": GATEWAY_NAME},
        "admin": admin(),
        "static_resources": {
            "listeners": [*listeners, *doors],
            "clusters": [*clusters, admin_cluster()],
        },
        "overload_manager": _overload(),
    }


def _listener(
    name: str,
    port: int,
    manager: dict[str, Any],
    config: GatewayConfig,
    *,
    socket: dict[str, Any] | None = None,
) -> dict[str, Any]:
    http = "envoy.filters.network.http_connection_manager"
    chain: dict[str, Any] = {"filters": [{"name": http, "typed_config": manager}]}
    if socket:
        chain["transport_socket"] = socket
    return {
        "name": name,
        "address": _address(port),
        "per_connection_buffer_limit_bytes": config.max_request_bytes,
        "filter_chains": [chain],
    }


def _tls() -> dict[str, Any]:
    """The certificate by a file that names it: Envoy then takes a renewed one by itself."""
    source = {
        "path_config_source": {"path": f"/etc/envoy/{TLS_FILE}"},
        "resource_api_version": "V3",
    }
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_TYPE}.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificate_sds_secret_configs": [{"name": "gateway", "sds_config": source}],
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            },
        },
    }


def tls_secret_file() -> dict[str, Any]:
    """Content of `tls.yaml`: where the mounted certificate is, and what is watched."""
    secret = {
        "@type": f"{_TYPE}.extensions.transport_sockets.tls.v3.Secret",
        "name": "gateway",
        "tls_certificate": {
            "certificate_chain": {"filename": f"{TLS_FOLDER}/tls.crt"},
            "private_key": {"filename": f"{TLS_FOLDER}/tls.key"},
            "watched_directory": {"path": TLS_FOLDER},
        },
    }
    return {"resources": [secret]}


def render(document: Mapping[str, Any]) -> str:
    """YAML in the document's own order."""
    return yaml.safe_dump(dict(document), sort_keys=False, width=200)


def check_credentials(
    config: GatewayConfig, *, api_keys: Mapping[str, str], jwks: str | None
) -> None:
    """ValueError without a way in, and for keys that are empty, shared or shaped like a token."""
    if config.jwt and bool(config.jwt.jwks_url) == bool(jwks):
        raise ValueError("gateway: jwt needs its keys once: jwksUrl or a key set")
    if not api_keys and not config.jwt:
        raise ValueError(
            "gateway: neither API keys nor a JWT issuer with its key set; nobody could call it"
        )
    owners: dict[str, str] = {}
    for tenant, key in api_keys.items():
        if not key or key.count(".") >= 2 or not key.isascii() or " " in key:
            raise ValueError(
                f"gateway: the API key of tenant {tenant!r} is empty, has spaces or has the form "
                "of a token (a.b.c); make a new one"
            )
        if key in owners:
            raise ValueError(
                f"gateway: tenants {owners[key]!r} and {tenant!r} share one API key; "
                "give each tenant its own"
            )
        owners[key] = tenant


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": ADDRESS, "port_value": port}}


def _connection_manager(config: GatewayConfig, routes: RouteTable) -> dict[str, Any]:
    host = virtual_host(routes)
    if config.limits:
        count_requests(host, config.limits)
    mutations: list[dict[str, Any]] = [{"remove": header} for header in IDENTITY_HEADERS]
    # Envoy obeys these from anybody: nine retries of a tool call, or a timeout of an hour.
    mutations.append({"remove_on_match": {"key_matcher": {"prefix": "x-envoy-"}}})
    return {
        "@type": f"{_TYPE}.extensions.filters.network.http_connection_manager.v3."
        "HttpConnectionManager",
        "stat_prefix": "public",
        "use_remote_address": True,
        "internal_address_config": {},
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "common_http_protocol_options": {
            "headers_with_underscores_action": "DROP_HEADER",
            "idle_timeout": "300s",
        },
        "request_headers_timeout": "10s",
        "stream_idle_timeout": "300s",
        "always_set_request_id_in_response": True,
        "early_header_mutation_extensions": [
            {
                "name": "drop-identity",
                "typed_config": {
                    "@type": f"{_TYPE}.extensions.http.early_header_mutation.header_mutation.v3."
                    "HeaderMutation",
                    "mutations": mutations,
                },
            }
        ],
        "access_log": [access_log()],
        "local_reply_config": local_replies(),
        "route_config": {"name": "routes", "virtual_hosts": [host]},
        "max_request_headers_kb": 60,
    }


def _tracing(url: str, headers: Mapping[str, str], percent: float) -> dict[str, Any]:
    service: dict[str, Any] = {
        "http_uri": {"uri": url, "cluster": TRACES_CLUSTER, "timeout": "2s"},
    }
    if headers:
        service["request_headers_to_add"] = [
            {"header": {"key": key, "value": value}} for key, value in headers.items()
        ]
    provider = {
        "name": "envoy.tracers.opentelemetry",
        "typed_config": {
            "@type": f"{_TYPE}.config.trace.v3.OpenTelemetryConfig",
            "http_service": service,
            "service_name": GATEWAY_NAME,
        },
    }
    tags = [
        {"tag": "tenant", "request_header": {"name": TENANT_HEADER}},
        {"tag": "gen_ai.request.model", "request_header": {"name": MODEL_HEADER}},
    ]
    return {
        "random_sampling": {"value": percent},
        "provider": provider,
        "custom_tags": tags,
    }


def _overload() -> dict[str, Any]:
    return {
        "resource_monitors": [
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": f"{_TYPE}.extensions.resource_monitors.downstream_connections.v3."
                    "DownstreamConnectionsConfig",
                    "max_active_downstream_connections": 10_000,
                },
            }
        ]
    }
