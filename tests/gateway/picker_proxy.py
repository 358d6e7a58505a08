"""Envoy as a gateway uses an endpoint picker: it asks by ext_proc and goes where it is told."""

from typing import Any

_TYPE = "type.googleapis.com/envoy"
CHOSEN = "x-gateway-destination-endpoint"
"""The inference extension's protocol: the picker names the endpoint in this header."""


def picker_proxy(address: str, port: int, picker: str, picker_port: int) -> dict[str, Any]:
    """Bootstrap of an Envoy at `address:port` behind the picker at `picker:picker_port`."""
    processing = {
        "request_header_mode": "SEND",
        "response_header_mode": "SEND",
        "request_body_mode": "FULL_DUPLEX_STREAMED",
        "response_body_mode": "FULL_DUPLEX_STREAMED",
        "request_trailer_mode": "SEND",
        "response_trailer_mode": "SEND",
    }
    asked = _filter(
        "ext_proc",
        "ext_proc.v3.ExternalProcessor",
        {
            "grpc_service": {"envoy_grpc": {"cluster_name": "picker"}, "timeout": "10s"},
            "processing_mode": processing,
            "message_timeout": "10s",
        },
    )
    manager = {
        "@type": f"{_TYPE}.extensions.filters.network.http_connection_manager.v3."
        "HttpConnectionManager",
        "stat_prefix": "pool",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "pool",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "pool"}}],
                }
            ]
        },
        "http_filters": [asked, _filter("router", "router.v3.Router", {})],
    }
    chain = {
        "filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
        ]
    }
    listener = {"name": "pool", "address": _address(address, port), "filter_chains": [chain]}
    return {
        "static_resources": {
            "listeners": [listener],
            "clusters": [_pool(), _picker(picker, picker_port)],
        }
    }


def _pool() -> dict[str, Any]:
    return {
        "name": "pool",
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "original_dst_lb_config": {"use_http_header": True, "http_header_name": CHOSEN},
    }


def _picker(address: str, port: int) -> dict[str, Any]:
    """TLS whose certificate is not checked, as the protocol has it."""
    options = {
        "@type": f"{_TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    endpoint = {"endpoint": {"address": _address(address, port)}}
    context = f"{_TYPE}.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
    return {
        "name": "picker",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "picker",
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options
        },
        "transport_socket": {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": context,
                "common_tls_context": {"alpn_protocols": ["h2"]},
            },
        },
    }


def _address(address: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": address, "port_value": port}}


def _filter(name: str, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    typed = {"@type": f"{_TYPE}.extensions.filters.http.{kind}"} | config
    return {"name": f"envoy.filters.http.{name}", "typed_config": typed}
