"""The NetworkPolicies of a tenant's namespace."""

from typing import Any

from components.network_policy import DNS_RULE, policy_manifest
from components.traffic import GATEWAY_PORTS, PROMETHEUS_PORT, TRACE_PORTS, namespace_peer

GATEWAY = "ai-gateway"
OBSERVABILITY = "observability"


def tenant_isolation_manifest(*, namespace: str) -> dict[str, Any]:
    """Policy `tenant-isolation`: in from itself and the gateway; out to itself, models and data.

    Names must resolve too. What the models' namespace lets in is decided there.
    """
    own: dict[str, Any] = {"podSelector": {}}
    reachable = [own, namespace_peer("ai-inference"), namespace_peer("ai-data")]
    return policy_manifest(
        "tenant-isolation",
        namespace=namespace,
        ingress=[{"from": [own, namespace_peer(GATEWAY)]}],
        egress=[{"to": reachable}, DNS_RULE],
    )


def platform_access_manifest(*, namespace: str) -> dict[str, Any]:
    """Policy `platform-access`: agents ask models through the gateway, send spans, are scraped."""
    return policy_manifest(
        "platform-access",
        namespace=namespace,
        ingress=[
            {"from": [namespace_peer(OBSERVABILITY)], "ports": _tcp(PROMETHEUS_PORT)},
        ],
        egress=[
            {"to": [namespace_peer(GATEWAY)], "ports": _tcp(*GATEWAY_PORTS)},
            {"to": [namespace_peer(OBSERVABILITY)], "ports": _tcp(*TRACE_PORTS)},
        ],
    )


def _tcp(*ports: int) -> list[dict[str, Any]]:
    return [{"protocol": "TCP", "port": port} for port in ports]
