"""Envoy clusters of a route table: one per backend, and chains where a request may move on."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from inference.provider import HostedModel
from inference.routing import Backend, ModelRoute, RouteTable

TRACES_CLUSTER = "traces"
_TYPE = "type.googleapis.com/envoy"

# Uvicorn closes an idle connection after five seconds; reusing one in that moment is a reset.
_UPSTREAM_IDLE = "4s"


def cluster_name(backend: Backend) -> str:
    """Names the Service, so that an access log line says who answered."""
    return f"{backend.namespace}/{backend.service}:{backend.port}"


def latency_cluster_name(route: ModelRoute) -> str:
    return f"latency/{route.name}"


def hosted_cluster_name(route: ModelRoute, hosted: HostedModel) -> str:
    """One for each model of a provider: requests are rewritten for it."""
    return f"hosted/{hosted.provider}/{route.name}/{hosted.model}"


def chain_name(chain: tuple[str, ...]) -> str:
    """A chain of one is that cluster itself."""
    return chain[0] if len(chain) == 1 else "chain/" + ">".join(chain)


def chains(routes: RouteTable, route: ModelRoute) -> tuple[tuple[str, ...], ...]:
    """For each backend that the route may pick first: the clusters asked, in order.

    With the strategy `weight` siblings stand in for each other only where fallback is asked for.
    """
    later = tuple(cluster_name(backend) for backend in routes.attempts(route))
    later += tuple(hosted_cluster_name(route, hosted) for hosted in route.hosted)
    own = tuple(cluster_name(backend) for backend in route.backends)
    if route.strategy == "latency":
        return (_once((latency_cluster_name(route), *later)),)
    if route.strategy == "fallback":
        return (_once((*own, *later)),)
    if route.strategy == "weight" and later:
        return tuple(_once((first, *own, *later)) for first in own)
    return tuple(_once((first, *later)) for first in own)


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def backend_clusters(routes: RouteTable) -> list[dict[str, Any]]:
    """Every cluster that the routes of `routes` name, each once, in the order of the table."""
    clusters: dict[str, dict[str, Any]] = {}
    for route in routes.models:
        for backend in route.backends:
            name = cluster_name(backend)
            clusters.setdefault(name, _backend_cluster(name, (backend,)))
    plain = [agent.backend for agent in routes.agents]
    for backend in (*plain, *(server.backend for server in routes.servers)):
        name = cluster_name(backend)
        clusters.setdefault(name, _backend_cluster(name, (backend,)))
    for agent in routes.agents:
        if agent.grpc_backend is not None:
            name = cluster_name(agent.grpc_backend)
            options = {"typed_extension_protocol_options": http2()}
            clusters.setdefault(name, _backend_cluster(name, (agent.grpc_backend,)) | options)
    for route in routes.models:
        if route.strategy == "latency":
            name = latency_cluster_name(route)
            clusters[name] = _backend_cluster(name, route.backends) | _LEAST_REQUEST
        for chain in chains(routes, route):
            if len(chain) > 1:
                clusters.setdefault(chain_name(chain), _aggregate(chain))
    return list(clusters.values())


_LEAST_REQUEST: dict[str, Any] = {
    "load_balancing_policy": {
        "policies": [
            {
                "typed_extension_config": {
                    "name": "envoy.load_balancing_policies.least_request",
                    "typed_config": {
                        "@type": f"{_TYPE}.extensions.load_balancing_policies.least_request.v3."
                        "LeastRequest",
                        # A few random picks would often see the slow one alone.
                        "selection_method": "FULL_SCAN",
                    },
                }
            }
        ]
    }
}


_BY_NAME: dict[str, Any] = {
    "@type": f"{_TYPE}.extensions.clusters.dns.v3.DnsCluster",
    "dns_lookup_family": "V4_ONLY",
    "dns_refresh_rate": "5s",
    "typed_dns_resolver_config": {
        "name": "envoy.network.dns_resolver.getaddrinfo",
        "typed_config": {
            "@type": f"{_TYPE}.extensions.network.dns_resolver.getaddrinfo.v3."
            "GetAddrInfoDnsResolverConfig"
        },
    },
}


def _backend_cluster(name: str, backends: tuple[Backend, ...]) -> dict[str, Any]:
    return dns_cluster(name, tuple((backend.host, backend.port) for backend in backends))


def dns_cluster(name: str, places: tuple[tuple[str, int], ...]) -> dict[str, Any]:
    """Addresses by the system's resolver: the names come from the Pod's hosts file or from DNS."""
    endpoints = [_endpoint(host, port) for host, port in places]
    return {
        "name": name,
        "connect_timeout": "2s",
        "cluster_type": {"name": "envoy.clusters.dns", "typed_config": _BY_NAME},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        "typed_extension_protocol_options": _http1(),
        "circuit_breakers": {"thresholds": [_thresholds()]},
        "outlier_detection": {
            "consecutive_5xx": 5,
            "consecutive_gateway_failure": 5,
            "interval": "1s",
            "base_ejection_time": "5s",
            "max_ejection_time": "60s",
            "max_ejection_percent": 100,
        },
    }


def _endpoint(host: str, port: int) -> dict[str, Any]:
    return {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}}


_PROTOCOL = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def _http1() -> dict[str, Any]:
    options = {
        "@type": f"{_TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options": {"idle_timeout": _UPSTREAM_IDLE},
        "explicit_http_config": {"http_protocol_options": {}},
    }
    return {_PROTOCOL: options}


def http2() -> dict[str, Any]:
    """HTTP/2 without TLS, as gRPC servers of the cluster speak it."""
    options = {
        "@type": f"{_TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    return {_PROTOCOL: options}


def _thresholds() -> dict[str, Any]:
    # Envoy's default of three concurrent retries would turn a dead backend into client errors.
    return {
        "max_connections": 4096,
        "max_pending_requests": 4096,
        "max_requests": 4096,
        "max_retries": 4096,
    }


def _aggregate(chain: tuple[str, ...]) -> dict[str, Any]:
    return {
        "name": chain_name(chain),
        "connect_timeout": "2s",
        "lb_policy": "CLUSTER_PROVIDED",
        "circuit_breakers": {"thresholds": [_thresholds()]},
        "cluster_type": {
            "name": "envoy.clusters.aggregate",
            "typed_config": {
                "@type": f"{_TYPE}.extensions.clusters.aggregate.v3.ClusterConfig",
                "clusters": list(chain),
            },
        },
    }


def traces_cluster(url: str) -> dict[str, Any]:
    """The OTLP/HTTP receiver at `url`; https is verified against the system's certificates."""
    cluster = url_cluster(TRACES_CLUSTER, url)
    del cluster["outlier_detection"]
    return cluster


def url_cluster(name: str, url: str) -> dict[str, Any]:
    """The host of `url`; https is verified against the system's certificates."""
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    host = parts.hostname or ""
    cluster = dns_cluster(name, ((host, parts.port or (443 if tls else 80)),))
    if tls:
        cluster["transport_socket"] = verified_tls(host)
    return cluster


def verified_tls(host: str) -> dict[str, Any]:
    """TLS to `host`, whose certificate has to carry that name."""
    trusted = {"trusted_ca": {"filename": "/etc/ssl/certs/ca-certificates.crt"}}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_TYPE}.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": host,
            "auto_sni_san_validation": True,
            "common_tls_context": {"validation_context": trusted},
        },
    }
