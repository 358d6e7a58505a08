"""Route tables and gateway configurations that use everything: what the object tests render."""

from typing import Any

from components import (
    agentgateway_objects,
    agentgateway_routes,
    endpoint_picker,
    envoy_gateway,
    kgateway_objects,
)
from components.envoy_bootstrap import bootstrap, render
from components.gateway_config import GatewayConfig, JwtConfig, TlsConfig
from components.ratelimit_config import LimitsConfig
from inference.default_routes import DEFAULT_MODELS
from inference.provider import HostedModel, Provider
from inference.routing import AgentRoute, Backend, McpRoute, ModelRoute, RouteTable

ARCHITECTURE = RouteTable(
    models=DEFAULT_MODELS, agents=(AgentRoute(name="customer-support-agent"),)
)
EVERYTHING = RouteTable(
    models=(
        *ARCHITECTURE.models,
        ModelRoute(
            name="Org/Quick-1.5",
            strategy="latency",
            backends=(Backend(service="q1"), Backend(service="q2")),
            tenants=("tenant-a",),
        ),
        ModelRoute(
            name="ordered",
            strategy="fallback",
            backends=(Backend(service="o1"), Backend(service="o2")),
            fallbacks=("gpt-4",),
        ),
        ModelRoute(
            name="chosen",
            strategy="header",
            backends=(
                Backend(service="c1", headers={"x-tenant-id": "tenant-a"}),
                Backend(service="c2"),
            ),
        ),
        ModelRoute(
            name="vectors", paths=("/v1/embeddings",), backends=(Backend(service="vectors"),)
        ),
    ),
    agents=(
        AgentRoute(name="customer-support-agent"),
        AgentRoute(name="secret-agent", namespace="tenant-a", tenants=("tenant-a",)),
    ),
)
JWT = JwtConfig(issuer="https://idp.example.com", audience="agents")
REMOTE = JWT.model_copy(update={"jwks_url": "https://idp.example.com/keys"})
LIMITS = LimitsConfig.model_validate(
    {"rules": [{"per": "minute", "requests": 60}, {"per": "day", "requests": 9, "model": "gpt-4"}]}
)
BUDGET = LimitsConfig.model_validate(
    {"rules": [{"per": "month", "tokens": 10_000_000, "tenant": "demo"}], "onFailure": "open"}
)
TLS = TlsConfig(issuer="public-ca", host_names=("ai.example.com",))
ACM = TlsConfig(certificate_arn="arn:aws:acm:us-west-2:111122223333:certificate/abc")
CONFIGS: dict[str, tuple[GatewayConfig, dict[str, Any]]] = {
    "keys of the issuer": (GatewayConfig(variant="kgateway", jwt=REMOTE, tls=ACM), {}),
    "keys given": (GatewayConfig(variant="kgateway", jwt=JWT, public=True), {"jwks": "{}"}),
    "API keys": (GatewayConfig(variant="kgateway", rate_limit=None), {"api_key_secret": "keys"}),
    "both, limits, TLS": (
        GatewayConfig(variant="kgateway", jwt=REMOTE, limits=LIMITS, tls=TLS),
        {"api_key_secret": "keys"},
    ),
}
AGENTGATEWAYS: dict[str, tuple[GatewayConfig, dict[str, Any]]] = {
    "tokens": (GatewayConfig(variant="agentgateway", jwt=REMOTE, tls=ACM), {}),
    "API keys": (GatewayConfig(variant="agentgateway", rate_limit=None), {"api_keys": True}),
    "both, budget, TLS": (
        GatewayConfig(variant="agentgateway", jwt=JWT, limits=BUDGET, tls=TLS),
        {"api_keys": True, "jwks": '{"keys": []}'},
    ),
}
WITH_MORE = RouteTable(
    models=(
        *EVERYTHING.models,
        ModelRoute(
            name="pooled",
            strategy="latency",
            backends=(Backend(service="pool-a", picker="picker"), Backend(service="pool-b")),
            fallbacks=("gpt-4",),
            hosted=(HostedModel(provider="bedrock", model="openai.gpt-oss-120b-1:0"),),
        ),
        ModelRoute(
            name="covered",
            backends=(Backend(service="a", weight=50), Backend(service="b", weight=50)),
            hosted=(
                HostedModel(provider="openai", model="gpt-5"),
                HostedModel(provider="plain", model="m"),
            ),
        ),
    ),
    agents=(
        *EVERYTHING.agents[:1],
        AgentRoute(name="typed", namespace="tenant-a", grpc_port=9000, tenants=("tenant-a",)),
    ),
    servers=(McpRoute(name="weather"), McpRoute(name="closed", tenants=("tenant-a",))),
    providers={
        "bedrock": Provider(kind="bedrock", region="us-west-2"),
        "openai": Provider(host="api.example.com", key="openai-key"),
        "plain": Provider(host="models.example.com", port=8000, tls=False),
    },
)


def kgateway_of(config: GatewayConfig, routes: RouteTable, **given: Any) -> dict[str, Any]:
    return kgateway_objects.manifests(config, routes, namespace="ai-gateway", **given)


def agentgateway_of(config: GatewayConfig, routes: RouteTable, **given: Any) -> dict[str, Any]:
    objects = agentgateway_objects.manifests(config, namespace="ai-gateway", **given)
    objects |= agentgateway_routes.manifests(routes, gateway="ai-gateway", namespace="ai-gateway")
    return objects | endpoint_picker.manifests(routes)


def envoy_of(config: GatewayConfig) -> dict[str, Any]:
    text = render(bootstrap(config, ARCHITECTURE, api_keys={"demo": "sk-demo"}))
    return envoy_gateway.manifests(
        config, namespace="ai-gateway", bootstrap=text, digest="0123456789abcdef"
    )
