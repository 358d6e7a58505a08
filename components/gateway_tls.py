"""Certificates of the gateway, whichever proxy presents them."""

from typing import Any

from components.gateway_config import GATEWAY_NAME, GatewayConfig, TlsConfig

CERTIFICATE_SECRET = f"{GATEWAY_NAME}-certificate"
_LOAD_BALANCER = "service.beta.kubernetes.io/aws-load-balancer"


def certificate_spec(tls: TlsConfig) -> dict[str, Any]:
    """Spec of cert-manager's Certificate; renewed long before it ends, with a new key."""
    return {
        "secretName": CERTIFICATE_SECRET,
        "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": tls.issuer},
        "dnsNames": [*tls.host_names],
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "usages": ["digital signature", "server auth"],
    }


def load_balancer_annotations(config: GatewayConfig) -> dict[str, str]:
    """Read by the AWS Load Balancer Controller; elsewhere nobody looks at them."""
    found = {
        f"{_LOAD_BALANCER}-type": "external",
        f"{_LOAD_BALANCER}-nlb-target-type": "ip",
        f"{_LOAD_BALANCER}-scheme": "internet-facing" if config.public else "internal",
    }
    if config.tls and config.tls.certificate_arn:
        found |= {
            f"{_LOAD_BALANCER}-ssl-cert": config.tls.certificate_arn,
            f"{_LOAD_BALANCER}-ssl-ports": str(config.tls.port),
            f"{_LOAD_BALANCER}-ssl-negotiation-policy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
        }
    return found
