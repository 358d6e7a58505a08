"""The Gateway `ai-gateway` for kgateway, and the policies that hold for all of its routes.

Fields are those of kgateway 2.4's own definitions.
"""

from typing import Any
from urllib.parse import urlsplit

from components.base import metadata
from components.envoy_filters import IDENTITY_HEADERS, TENANT_PATTERN
from components.gateway_config import GATEWAY_NAME, GatewayConfig, JwtConfig
from components.model_route import KGATEWAY
from inference.http_route import GATEWAY_API
from inference.routing import MODEL_HEADER, TENANT_HEADER, USER_HEADER

GATEWAY_CLASS = "kgateway"
ISSUER_BACKEND = "token-issuer"

STEERING_HEADERS = tuple(
    f"x-envoy-{name}"
    for name in (
        "decorator-operation",
        "hedge-on-per-try-timeout",
        "max-retries",
        "retriable-header-names",
        "retriable-status-codes",
        "retry-grpc-on",
        "retry-on",
        "upstream-alt-stat-name",
        "upstream-rq-per-try-timeout-ms",
        "upstream-rq-timeout-ms",
        "upstream-stream-duration-ms",
    )
)
"""With these a client would order retries of a tool call or a timeout of its own."""

Manifests = dict[str, dict[str, Any]]


def manifests(
    config: GatewayConfig,
    *,
    namespace: Any,
    jwks: Any = None,
    api_key_secret: Any = None,
) -> Manifests:
    """The Gateway and what holds for all of its routes; ValueError for what kgateway can't do."""
    check(config, jwks=jwks is not None, api_keys=api_key_secret is not None)

    def made(version: str, kind: str, spec: dict[str, Any], name: str = GATEWAY_NAME) -> Any:
        meta = metadata(name, component="gateway", namespace=namespace)
        return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec}

    found = {
        "parameters": made(KGATEWAY, "GatewayParameters", parameters_spec(config)),
        "gateway": made(f"{GATEWAY_API}/v1", "Gateway", gateway_spec(config)),
        "listener": made(KGATEWAY, "ListenerPolicy", listener_policy_spec()),
    }
    policy: dict[str, Any] = {"targetRefs": [_gateway_ref()], "rbac": _has_a_tenant()}
    if config.rate_limit:
        bucket = {
            "maxTokens": config.rate_limit.requests,
            "tokensPerFill": config.rate_limit.requests,
            "fillInterval": f"{config.rate_limit.seconds}s",
        }
        policy["rateLimit"] = {"local": {"tokenBucket": bucket}}
    if config.jwt:
        policy["jwtAuth"] = {"extensionRef": {"name": "tokens"}}
        extension = jwt_extension_spec(config.jwt, jwks, forward=config.forward_token)
        found["tokens"] = made(KGATEWAY, "GatewayExtension", extension, "tokens")
        if config.jwt.jwks_url:
            found |= _issuer(config.jwt.jwks_url, made)
    else:
        policy["apiKeyAuth"] = {
            "secretRef": {"name": api_key_secret},
            "keySources": [{"header": "authorization"}],
            "clientIdHeader": TENANT_HEADER,
        }
    found["policy"] = made(KGATEWAY, "TrafficPolicy", policy)
    return found


def check(config: GatewayConfig, *, jwks: bool, api_keys: bool) -> None:
    """ValueError, one line each, for a configuration that kgateway has no fields for."""
    problems = []
    if config.jwt and api_keys:
        problems.append(
            "gateway: kgateway asks for a token and an API key, never for one of them; "
            "give jwt or API keys, or use variant 'envoy'"
        )
    if not config.jwt and not api_keys:
        problems.append("gateway: neither jwt nor a Secret with API keys; nobody could call it")
    if config.jwt and bool(config.jwt.jwks_url) == jwks:
        problems.append("gateway: jwt needs its keys once: jwksUrl or a key set")
    if config.rate_limit and config.rate_limit.tenants:
        problems.append(
            "gateway: kgateway's local rate limit counts all tenants together; "
            "leave rateLimit.tenants out or use variant 'envoy'"
        )
    if problems:
        raise ValueError("\n".join(problems))


def _has_a_tenant() -> dict[str, Any]:
    """A token without a tenant opens nothing; a client's own header was dropped before."""
    expression = f"request.headers['{TENANT_HEADER}'].matches('^{TENANT_PATTERN}$')"
    return {"action": "Allow", "policy": {"matchExpressions": [expression]}}


def _gateway_ref() -> dict[str, str]:
    return {"group": GATEWAY_API, "kind": "Gateway", "name": GATEWAY_NAME}


def gateway_spec(config: GatewayConfig) -> dict[str, Any]:
    """HTTPRoutes attach from the gateway's own namespace only: who writes there decides."""
    reference = {
        "group": "gateway.kgateway.dev",
        "kind": "GatewayParameters",
        "name": GATEWAY_NAME,
    }
    listener = {
        "name": "http",
        "protocol": "HTTP",
        "port": config.port,
        "allowedRoutes": {"namespaces": {"from": "Same"}},
    }
    return {
        "gatewayClassName": GATEWAY_CLASS,
        "infrastructure": {"parametersRef": reference},
        "listeners": [listener],
    }


def parameters_spec(config: GatewayConfig) -> dict[str, Any]:
    """The proxies that the controller makes of the Gateway."""
    scheme = "internet-facing" if config.public else "internal"
    prefix = "service.beta.kubernetes.io/aws-load-balancer"
    spread = {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"gateway.networking.k8s.io/gateway-name": GATEWAY_NAME}},
    }
    return {
        "kube": {
            "deployment": {"replicas": config.replicas},
            "envoyContainer": {
                "resources": {
                    "requests": {"cpu": "500m", "memory": "256Mi"},
                    "limits": {"memory": "1Gi"},
                }
            },
            "podTemplate": {
                "terminationGracePeriodSeconds": 120,
                "gracefulShutdown": {"enabled": True, "sleepTimeSeconds": 10},
                "topologySpreadConstraints": [spread],
            },
            "podDisruptionBudget": {"spec": {"maxUnavailable": 1}},
            "service": {
                "type": "LoadBalancer",
                "extraAnnotations": {
                    f"{prefix}-type": "external",
                    f"{prefix}-nlb-target-type": "ip",
                    f"{prefix}-scheme": scheme,
                },
            },
        }
    }


def listener_policy_spec() -> dict[str, Any]:
    """Identity headers of a client are dropped; each request leaves one JSON line."""
    log = {
        "time": "%START_TIME%",
        "method": "%REQ(:METHOD)%",
        "path": "%PATH(NQ:ORIG_OR_PATH)%",
        "status": "%RESPONSE_CODE%",
        "duration_ms": "%DURATION%",
        "trace_id": "%TRACE_ID%",
        "request_id": "%REQ(X-REQUEST-ID)%",
        "tenant": f"%REQ({TENANT_HEADER})%",
        "model": f"%REQ({MODEL_HEADER})%",
        "cluster": "%UPSTREAM_CLUSTER%",
        "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "details": "%RESPONSE_CODE_DETAILS%",
    }
    settings = {
        "accessLog": [{"fileSink": {"path": "/dev/stdout", "jsonFormat": log}}],
        "earlyRequestHeaderModifier": {"remove": [*IDENTITY_HEADERS, *STEERING_HEADERS]},
        "useRemoteAddress": True,
        "generateRequestId": True,
        "streamIdleTimeout": "300s",
        "idleTimeout": "300s",
    }
    return {"targetRefs": [_gateway_ref()], "default": {"httpSettings": settings}}


def jwt_extension_spec(jwt: JwtConfig, jwks: Any, *, forward: bool) -> dict[str, Any]:
    """Tenant and user come from a verified token's claims."""
    if jwt.jwks_url:
        backend = {"group": "gateway.kgateway.dev", "kind": "Backend", "name": ISSUER_BACKEND}
        keys: dict[str, Any] = {
            "remote": {"url": jwt.jwks_url, "backendRef": backend, "cacheDuration": "10m"}
        }
    else:
        keys = {"local": {"inline": jwks}}
    provider = {
        "name": "tokens",
        "issuer": jwt.issuer,
        "audiences": [jwt.audience],
        "forwardToken": forward,
        "jwks": keys,
        "claimsToHeaders": [
            {"name": jwt.tenant_claim, "header": TENANT_HEADER},
            {"name": jwt.user_claim, "header": USER_HEADER},
        ],
    }
    return {"type": "JWT", "jwt": {"validationMode": "Strict", "providers": [provider]}}


def _issuer(url: str, made: Any) -> Manifests:
    parts = urlsplit(url)
    host = {"host": parts.hostname, "port": parts.port or 443}
    target = {"group": "gateway.kgateway.dev", "kind": "Backend", "name": ISSUER_BACKEND}
    tls = {"targetRefs": [target], "tls": {"wellKnownCACertificates": "System"}}
    static = {"type": "Static", "static": {"hosts": [host]}}
    return {
        "issuer": made(KGATEWAY, "Backend", static, ISSUER_BACKEND),
        "issuer-tls": made(KGATEWAY, "BackendConfigPolicy", tls, ISSUER_BACKEND),
    }
