"""The Gateway object `ai-gateway`, whichever controller serves it."""

from typing import Any

from components.gateway_config import GatewayConfig
from components.gateway_tls import CERTIFICATE_SECRET


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
