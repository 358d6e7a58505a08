"""What a Pod's address shows of Envoy: readiness and metrics, never the admin interface itself.

The admin interface would hand out the whole configuration, credentials of the trace store and of
hosted APIs included, and takes orders; it is a socket file that only the Pod's own processes open.
"""

from typing import Any

ADMIN_SOCKET = "/tmp/envoy-admin.sock"  # noqa: S108 -- a volume of the Pod's own
ADMIN_CLUSTER = "admin"
METRICS_PATH = "/metrics"
READY_PATH = "/ready"
LIVE_PATH = "/live"

_TYPE = "type.googleapis.com/envoy"
_MANAGER = f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = f"{_TYPE}.extensions.filters.http.router.v3.Router"


def admin() -> dict[str, Any]:
    """The bootstrap's own section."""
    return {"address": {"pipe": {"path": ADMIN_SOCKET, "mode": 0o600}}}


def admin_cluster() -> dict[str, Any]:
    """The socket file as something that a route may lead to."""
    endpoint = {"endpoint": {"address": {"pipe": {"path": ADMIN_SOCKET}}}}
    return {
        "name": ADMIN_CLUSTER,
        "connect_timeout": "1s",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": ADMIN_CLUSTER,
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }


def status_listener(address: dict[str, Any]) -> dict[str, Any]:
    """Three paths for probes and Prometheus, read only."""
    get = {"name": ":method", "string_match": {"exact": "GET"}}

    def asks(path: str, at: str) -> dict[str, Any]:
        route = {"cluster": ADMIN_CLUSTER, "prefix_rewrite": at, "timeout": "10s"}
        return {"match": {"path": path, "headers": [get]}, "route": route}

    alive = {"match": {"path": LIVE_PATH}, "direct_response": {"status": 200}}
    routes = [asks(READY_PATH, "/ready"), asks(METRICS_PATH, "/stats/prometheus"), alive]
    manager = {
        "@type": _MANAGER,
        "stat_prefix": "status",
        "route_config": {
            "name": "status",
            "virtual_hosts": [{"name": "status", "domains": ["*"], "routes": routes}],
        },
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}}],
    }
    name = "envoy.filters.network.http_connection_manager"
    return {
        "name": "status",
        "address": address,
        # Probes must not starve behind clients that fill the bound on connections.
        "ignore_global_conn_limit": True,
        "filter_chains": [{"filters": [{"name": name, "typed_config": manager}]}],
    }
