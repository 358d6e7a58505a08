"""The Gateway object `ai-gateway`, whichever controller serves it."""

from typing import Any

from components.base import metadata
from components.gateway_config import GATEWAY_NAME, GatewayConfig
from components.gateway_tls import CERTIFICATE_SECRET


def gateway_object(
    version: str,
    kind: str,
    spec: dict[str, Any],
    name: str = GATEWAY_NAME,
    *,
    namespace: Any,
) -> dict[str, Any]:
    """One of the objects of a gateway; of its Gateway it is awaited that a proxy serves it."""
    until = "Programmed" if kind == "Gateway" else None
    meta = metadata(name, component="gateway", namespace=namespace, until=until)
    return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec}


def gateway_spec(
    config: GatewayConfig, *, gateway_class: str, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Routes attach from the gateway's own namespace only: who writes there decides.

    A certificate of ACM is the load balancer's business; behind it the traffic is plain.
    """
    from_here = {"namespaces": {"from": "Same"}}
    listeners: list[dict[str, Any]] = [
        {"name": "http", "protocol": "HTTP", "port": config.port, "allowedRoutes": from_here}
    ]
    if config.tls:
        ends_here = config.tls.issuer is not None
        secure: dict[str, Any] = {
            "name": "https",
            "protocol": "HTTPS" if ends_here else "HTTP",
            "port": config.tls.port,
            "allowedRoutes": from_here,
        }
        if ends_here:
            certificate = {"group": "", "kind": "Secret", "name": CERTIFICATE_SECRET}
            secure["tls"] = {"mode": "Terminate", "certificateRefs": [certificate]}
        listeners.append(secure)
    return {
        "gatewayClassName": gateway_class,
        "infrastructure": {"parametersRef": parameters},
        "listeners": listeners,
    }
