"""The Gateway `ai-gateway` for agentgateway, and the policies that hold for all of its routes.

Fields are those of agentgateway 1.4's own definitions.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from components.agentgateway_backends import AGENTGATEWAY, Manifests
from components.envoy_filters import TENANT_PATTERN
from components.gateway_config import GATEWAY_NAME, GatewayConfig, JwtConfig, RateLimitConfig
from components.gateway_listeners import gateway_object, gateway_spec
from components.gateway_tls import certificate_spec, load_balancer_annotations
from components.ratelimit_config import LimitsConfig
from components.ratelimit_rules import DOMAIN, entries
from inference.http_route import GATEWAY_API, gateway_ref
from inference.routing import MODEL_HEADER, TENANT_HEADER, USER_HEADER

GATEWAY_CLASS = "agentgateway"
KEYS_SECRET = "gateway-key-hashes"  # noqa: S105 -- the name of a Secret
ISSUER_BACKEND = "token-issuer"
UNITS = {1: "Seconds", 60: "Minutes", 3600: "Hours"}
"""Windows of a limit that each Pod counts by itself."""


def manifests(
    config: GatewayConfig, *, namespace: Any, jwks: Any = None, api_keys: bool = False
) -> Manifests:
    """The Gateway and what holds for all of its routes."""

    made = partial(gateway_object, namespace=namespace)

    def policy(name: str, spec: dict[str, Any]) -> Any:
        whole = {"targetRefs": [gateway_ref(GATEWAY_NAME)]} | spec
        return made(AGENTGATEWAY, "AgentgatewayPolicy", whole, f"{GATEWAY_NAME}-{name}")

    group = AGENTGATEWAY.partition("/")[0]
    parameters = {"group": group, "kind": "AgentgatewayParameters", "name": GATEWAY_NAME}
    found: Manifests = {
        "parameters": made(AGENTGATEWAY, "AgentgatewayParameters", parameters_spec(config)),
        "gateway": made(
            f"{GATEWAY_API}/v1",
            "Gateway",
            gateway_spec(config, gateway_class=GATEWAY_CLASS, parameters=parameters),
        ),
        "identity": policy("identity", {"traffic": identity(config, jwks, api_keys=api_keys)}),
        "log": policy("log", {"frontend": {"accessLog": access_log()}}),
    }
    limits = rate_limit(config.rate_limit, config.limits)
    if limits:
        found["limits"] = policy("limits", {"traffic": {"rateLimit": limits}})
    if config.jwt and config.jwt.jwks_url:
        parts = urlsplit(config.jwt.jwks_url)
        secure = parts.scheme == "https"
        place = {"host": parts.hostname, "port": parts.port or (443 if secure else 80)}
        spec: dict[str, Any] = {"static": place}
        if secure:
            spec["policies"] = {"tls": {}}
        found["issuer"] = made(AGENTGATEWAY, "AgentgatewayBackend", spec, ISSUER_BACKEND)
    if config.tls and config.tls.issuer:
        certificate = certificate_spec(config.tls)
        found["certificate"] = made("cert-manager.io/v1", "Certificate", certificate)
    return found


def key_entries(api_keys: Mapping[str, str]) -> dict[str, str]:
    """Content of the Secret of keys, by tenant: hashes alone, and whose they are."""
    return {
        tenant: key_entry(tenant, hashlib.sha256(key.encode()).hexdigest())
        for tenant, key in api_keys.items()
    }


def key_entry(tenant: str, digest: str) -> str:
    """One entry; `digest` may be a template that the secret operator fills in."""
    return json.dumps({"keyHash": f"sha256:{digest}", "metadata": {"tenant": tenant}})


def identity(config: GatewayConfig, jwks: Any, *, api_keys: bool) -> dict[str, Any]:
    """Before the route is chosen: who asks, then the headers that everything after goes by.

    Both kinds of credentials come as `Bearer`, so where both are taken neither may refuse what
    the other knows: the rule behind them refuses whoever has no tenant.
    """
    both = bool(config.jwt) and api_keys
    mode = "Permissive" if both else "Strict"
    tenant, user = '""', '""'
    found: dict[str, Any] = {"phase": "PreRouting"}
    if api_keys:
        found["apiKeyAuthentication"] = {"mode": mode, "secretRef": {"name": KEYS_SECRET}}
        tenant = f"default(apiKey.tenant, {tenant})"
    if config.jwt:
        provider = {
            "issuer": config.jwt.issuer,
            "audiences": [config.jwt.audience],
            "jwks": _jwks(config.jwt, jwks),
        }
        found["jwtAuthentication"] = {"mode": mode, "providers": [provider]}
        tenant = f'default(jwt["{config.jwt.tenant_claim}"], {tenant})'
        user = f'default(jwt["{config.jwt.user_claim}"], {user})'
    known = f'string({tenant}).matches("^{TENANT_PATTERN}$")'
    model = f'default(request.headers["{MODEL_HEADER}"], default(json(request.body).model, ""))'
    found["authorization"] = {"action": "Require", "policy": {"matchExpressions": [known]}}
    found["transformation"] = {
        "request": {
            "set": [
                {"name": TENANT_HEADER, "value": f"string({tenant})"},
                {"name": USER_HEADER, "value": f"string({user})"},
                {"name": MODEL_HEADER, "value": model},
            ]
        }
    }
    return found


def _jwks(jwt: JwtConfig, jwks: Any) -> dict[str, Any]:
    if jwt.jwks_url is None:
        return {"inline": jwks}
    group = AGENTGATEWAY.partition("/")[0]
    backend = {"group": group, "kind": "AgentgatewayBackend", "name": ISSUER_BACKEND}
    path = urlsplit(jwt.jwks_url).path
    return {"remote": {"backendRef": backend, "jwksPath": path, "cacheDuration": "10m"}}


def rate_limit(local: RateLimitConfig | None, limits: LimitsConfig | None) -> dict[str, Any]:
    """Each Pod's own bound on all tenants together, and the service's on each."""
    found: dict[str, Any] = {}
    if local:
        found["local"] = [{"requests": local.requests, "unit": UNITS[local.seconds]}]
    if limits:
        found["global"] = {
            "backendRef": {"group": "", "kind": "Service", "name": "ratelimit"}
            | {"port": limits.port},
            "domain": DOMAIN,
            "failureMode": "FailClosed" if limits.on_failure == "closed" else "FailOpen",
            "descriptors": [
                {
                    "unit": rule.kind.capitalize(),
                    "entries": [
                        {
                            "name": key,
                            "expression": f'"{value}"' if value else f'request.headers["{header}"]',
                        }
                        for key, value, header in entries(rule)
                    ],
                }
                for rule in limits.groups
            ],
        }
    return found


def access_log() -> dict[str, Any]:
    """Beside the proxy's own fields, which hold status and duration."""
    fields = {
        "tenant": f'request.headers["{TENANT_HEADER}"]',
        "model": f'request.headers["{MODEL_HEADER}"]',
        "prompt_tokens": "llm.inputTokens",
        "completion_tokens": "llm.outputTokens",
        "tokens": "llm.totalTokens",
    }
    added = [{"name": name, "expression": value} for name, value in fields.items()]
    return {"attributes": {"add": added}}


def parameters_spec(config: GatewayConfig) -> dict[str, Any]:
    """The proxies that the controller makes of the Gateway."""
    labels = {"gateway.networking.k8s.io/gateway-name": GATEWAY_NAME}
    spread = {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }
    pod = {"priorityClassName": "agentic-gateway", "topologySpreadConstraints": [spread]}
    service: dict[str, Any] = {"type": "LoadBalancer"}
    if config.load_balancer_class:
        service["loadBalancerClass"] = config.load_balancer_class
    return {
        "logging": {"format": "json"},
        "deployment": {"spec": {"replicas": config.replicas, "template": {"spec": pod}}},
        "podDisruptionBudget": {"spec": {"maxUnavailable": 1}},
        "resources": {
            "requests": {"cpu": "500m", "memory": "256Mi"},
            "limits": {"memory": "1Gi"},
        },
        "service": {
            "metadata": {"annotations": load_balancer_annotations(config)},
            "spec": service,
        },
        "shutdown": {"min": 10, "max": 120},
    }
