"""The Gateway `ai-gateway` for kgateway, and the policies that hold for all of its routes.

Fields are those of kgateway 2.4's own definitions.
"""

from functools import partial
from typing import Any
from urllib.parse import urlsplit

from components import kgateway_model_header, model_route
from components.envoy_filters import IDENTITY_HEADERS, TENANT_PATTERN
from components.gateway_config import GATEWAY_NAME, GatewayConfig, JwtConfig
from components.gateway_listeners import gateway_object, gateway_spec
from components.gateway_tls import certificate_spec, load_balancer_annotations
from components.kgateway_model_header import KGATEWAY
from components.kgateway_tokens import ROUTES, TOKENS, for_both
from components.ratelimit_config import LimitsConfig
from components.ratelimit_rules import DOMAIN, entries
from inference.http_route import GATEWAY_API, gateway_ref
from inference.routing import MODEL_HEADER, TENANT_HEADER, USER_HEADER, RouteTable

GATEWAY_CLASS = "kgateway"
LIMITS = "limits"
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
    routes: RouteTable,
    *,
    namespace: Any,
    jwks: Any = None,
    api_key_secret: Any = None,
) -> Manifests:
    """Every object of the Gateway and its routes; ValueError without a way in."""
    check(config, jwks=jwks is not None, api_keys=api_key_secret is not None)

    made = partial(gateway_object, namespace=namespace)

    group = KGATEWAY.partition("/")[0]
    reference = {"group": group, "kind": "GatewayParameters", "name": GATEWAY_NAME}
    gateway = gateway_spec(config, gateway_class=GATEWAY_CLASS, parameters=reference)
    found = {
        "parameters": made(KGATEWAY, "GatewayParameters", parameters_spec(config)),
        "gateway": made(f"{GATEWAY_API}/v1", "Gateway", gateway),
        "listener": made(KGATEWAY, "ListenerPolicy", listener_policy_spec()),
    }
    rates = _rates(config)
    if config.limits:
        found["limits"] = made(KGATEWAY, "GatewayExtension", _counter(config.limits), LIMITS)
    if config.tls and config.tls.issuer:
        certificate = certificate_spec(config.tls)
        found["certificate"] = made("cert-manager.io/v1", "Certificate", certificate)
    found |= _issuer(config.jwt, jwks, made, forward=config.forward_token) if config.jwt else {}
    both = config.jwt is not None and api_key_secret is not None
    routed = model_route.manifests(routes, gateway=GATEWAY_NAME, namespace=namespace, limits=rates)
    routed |= kgateway_model_header.manifests(namespace=namespace, replicas=config.replicas)
    policy = {"targetRefs": [gateway_ref(GATEWAY_NAME)], "rbac": _has_a_tenant()}
    policy |= kgateway_model_header.policy() | rates
    if both:
        routed = for_both(routed)
        for name, credentials in (("keys", _keys(api_key_secret)), ("tokens", _TOKENS)):
            targets = _credential_targets(routed, tokens=name == "tokens")
            spec = {"targetRefs": targets} | credentials
            found[f"{name}-policy"] = made(KGATEWAY, "TrafficPolicy", spec, f"accept-{name}")
    else:
        policy |= _TOKENS if config.jwt else _keys(api_key_secret)
    found["policy"] = made(KGATEWAY, "TrafficPolicy", policy)
    return found | routed


_TOKENS = {"jwtAuth": {"extensionRef": {"name": "tokens"}}}


def _keys(secret: Any) -> dict[str, Any]:
    return {
        "apiKeyAuth": {
            "secretRef": {"name": secret},
            "keySources": [{"header": "authorization"}],
            "clientIdHeader": TENANT_HEADER,
        }
    }


def _credential_targets(routed: Manifests, *, tokens: bool) -> list[dict[str, str]]:
    return [
        {"group": GATEWAY_API, "kind": manifest["kind"], "name": manifest["metadata"]["name"]}
        for manifest in routed.values()
        if manifest["kind"] in ROUTES and manifest["metadata"]["name"].endswith(TOKENS) == tokens
    ]


def _rates(config: GatewayConfig) -> dict[str, Any]:
    """What a TrafficPolicy holds about rates; a rule's own policy replaces the Gateway's."""
    found: dict[str, Any] = {}
    if config.rate_limit:
        bucket = {
            "maxTokens": config.rate_limit.requests,
            "tokensPerFill": config.rate_limit.requests,
            "fillInterval": f"{config.rate_limit.seconds}s",
        }
        found["local"] = {"tokenBucket": bucket}
    if config.limits:
        descriptors = [
            {"entries": [_entry(*each) for each in entries(rule)]} for rule in config.limits.groups
        ]
        found["global"] = {"extensionRef": {"name": LIMITS}, "descriptors": descriptors}
    return {"rateLimit": found} if found else {}


def _entry(key: str, value: str | None, header: str) -> dict[str, Any]:
    """kgateway names a header's entry by the header itself."""
    if value is None:
        return {"type": "Header", "header": header}
    return {"type": "Generic", "generic": {"key": key, "value": value}}


def _counter(limits: LimitsConfig) -> dict[str, Any]:
    backend = {"group": "", "kind": "Service", "name": "ratelimit", "port": limits.port}
    return {
        "type": "RateLimit",
        "rateLimit": {
            "domain": DOMAIN,
            "failOpen": limits.on_failure == "open",
            "timeout": f"{limits.timeout_milliseconds}ms",
            "grpcService": {"backendRef": backend},
            "xRateLimitHeaders": "DraftVersion03",
        },
    }


def check(config: GatewayConfig, *, jwks: bool, api_keys: bool) -> None:
    """ValueError, one line each: nobody could be authenticated."""
    problems = []
    if not config.jwt and not api_keys:
        problems.append("gateway: neither jwt nor a Secret with API keys; nobody could call it")
    if config.jwt and bool(config.jwt.jwks_url) == jwks:
        problems.append("gateway: jwt needs its keys once: jwksUrl or a key set")
    if problems:
        raise ValueError("\n".join(problems))


def _has_a_tenant() -> dict[str, Any]:
    """A token without a tenant opens nothing; a client's own header was dropped before."""
    expression = f"request.headers['{TENANT_HEADER}'].matches('^{TENANT_PATTERN}$')"
    return {"action": "Allow", "policy": {"matchExpressions": [expression]}}


def parameters_spec(config: GatewayConfig) -> dict[str, Any]:
    """The proxies that the controller makes of the Gateway."""
    spread = {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"gateway.networking.k8s.io/gateway-name": GATEWAY_NAME}},
    }
    service: dict[str, Any] = {
        "type": "LoadBalancer",
        "extraAnnotations": load_balancer_annotations(config),
    }
    if config.load_balancer_class:
        service["loadBalancerClass"] = config.load_balancer_class
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
                "priorityClassName": "agentic-gateway",
                "terminationGracePeriodSeconds": 120,
                "gracefulShutdown": {"enabled": True, "sleepTimeSeconds": 10},
                "topologySpreadConstraints": [spread],
            },
            "podDisruptionBudget": {"spec": {"maxUnavailable": 1}},
            "service": service,
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
    return {"targetRefs": [gateway_ref(GATEWAY_NAME)], "default": {"httpSettings": settings}}


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


def _issuer(jwt: JwtConfig, jwks: Any, made: Any, *, forward: bool) -> Manifests:
    extension = jwt_extension_spec(jwt, jwks, forward=forward)
    found: Manifests = {"tokens": made(KGATEWAY, "GatewayExtension", extension, "tokens")}
    if jwt.jwks_url is None:
        return found
    parts = urlsplit(jwt.jwks_url)
    secure = parts.scheme == "https"
    host = {"host": parts.hostname, "port": parts.port or (443 if secure else 80)}
    static = {"type": "Static", "static": {"hosts": [host]}}
    found["issuer"] = made(KGATEWAY, "Backend", static, ISSUER_BACKEND)
    if secure:
        target = {"group": "gateway.kgateway.dev", "kind": "Backend", "name": ISSUER_BACKEND}
        tls = {"targetRefs": [target], "tls": {"wellKnownCACertificates": "System"}}
        found["issuer-tls"] = made(KGATEWAY, "BackendConfigPolicy", tls, ISSUER_BACKEND)
    return found
