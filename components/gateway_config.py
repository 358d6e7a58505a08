"""What a stack decides about the gateway; the routes themselves are `inference.routing`."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from components.base import ConfigModel
from components.ratelimit_config import LimitsConfig
from inference.default_routes import DEFAULT_MODELS
from inference.provider import ObjectName, Provider
from inference.routing import AgentRoute, McpRoute, ModelRoute

GATEWAY_NAME = "ai-gateway"
Variant = Literal["kgateway", "agentgateway", "envoy"]

HostPattern = Annotated[str, Field(pattern=r"^(\*\.)?[a-z0-9][a-z0-9.-]{0,251}$")]
_PLACE = r"(:\d+)?/[^\s]*$"
_JWKS_URL = rf"^(https://[^/\s:]+|http://[a-z0-9.-]+\.svc\.cluster\.local){_PLACE}"


class JwtConfig(ConfigModel):
    """Tokens that the gateway accepts; their keys come as a key set or from `jwksUrl`."""

    issuer: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    """What a token's `iss` must be: the identity provider's URL."""
    audience: Annotated[str, Field(min_length=1, max_length=256)]
    """What a token's `aud` must hold: the name under which the provider knows this gateway."""
    tenant_claim: Annotated[str, Field(pattern=r"^[A-Za-z0-9_:.-]{1,64}$")] = "tenant"
    """Becomes `x-tenant-id`; a token without it is refused."""
    user_claim: Annotated[str, Field(pattern=r"^[A-Za-z0-9_:.-]{1,64}$")] = "sub"
    """Becomes `x-user-id`."""
    jwks_url: Annotated[str, Field(pattern=_JWKS_URL)] | None = None
    """Where the identity provider publishes its keys: https, or http to a Service of the cluster
    (`….svc.cluster.local`). Without it the key set is an input."""


class RateLimitConfig(ConfigModel):
    """Requests that one tenant may send to one gateway Pod in a window."""

    requests: PositiveInt = 600
    """Requests of one tenant in one window; more are answered with 429."""
    seconds: PositiveInt = 60
    """Length of the window."""
    tenants: dict[ObjectName, PositiveInt] = Field(default_factory=dict)
    """Tenants with another number of requests."""


class TlsConfig(ConfigModel):
    """Where clients' TLS ends: at the gateway with cert-manager, or at the load balancer."""

    issuer: ObjectName | None = None
    """ClusterIssuer of cert-manager that signs the gateway's certificate."""
    host_names: tuple[HostPattern, ...] = ()
    """Names on that certificate."""
    certificate_arn: Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:acm:[^\s]+$")] | None = None
    """Certificate of ACM that the network load balancer presents."""
    port: Annotated[int, Field(ge=1, le=65535)] = 443
    """Port of the load balancer."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.issuer is None) == (self.certificate_arn is None):
            raise ValueError("TLS ends in one place: give either issuer or certificateArn")
        if (self.issuer is None) == bool(self.host_names):
            raise ValueError("hostNames belong to issuer: it signs a certificate for them")
        return self


class GatewayConfig(ConfigModel):
    """The gateway of one stack."""

    variant: Variant
    """kgateway: Envoy proxies run by a controller · agentgateway: an LLM-aware proxy run by a
    controller · envoy: one Deployment of plain Envoy, without a controller."""
    port: Annotated[int, Field(ge=1, le=65535)] = 80
    """Port of the Service."""
    replicas: Annotated[int, Field(ge=1, le=100)] = 2
    """Pods of the proxy."""
    public: bool = False
    """An internet-facing load balancer; else an internal one."""
    models: tuple[ModelRoute, ...] = DEFAULT_MODELS
    """Public models; by default the reference architecture's three routes."""
    agents: tuple[AgentRoute, ...] = ()
    """Agents that other programs run, and those of this stack that need more than their name:
    the stack's own are routed without being listed."""
    providers: dict[ObjectName, Provider] = Field(default_factory=dict)
    """Hosted APIs that models name in `hosted`."""
    servers: tuple[McpRoute, ...] = ()
    """MCP servers behind `/mcp/<name>`."""
    jwt: JwtConfig | None = None
    """Tokens that are accepted beside API keys; without it keys alone open the gateway."""
    rate_limit: RateLimitConfig | None = RateLimitConfig()
    """Bound on each tenant's requests to one Pod; `null`: none."""
    limits: LimitsConfig | None = None
    """Bounds and budgets over all Pods, by tenant and model; `null`: none."""
    tls: TlsConfig | None = None
    """TLS of the clients; `null`: plain HTTP."""
    drain_seconds: Annotated[int, Field(ge=0, le=3600)] = 60
    """How long a Pod that leaves goes on with the answers it has begun (variant `envoy`)."""
    load_balancer_class: str | None = None
    """Who makes the load balancer, where it is not the cluster's default."""
    max_request_bytes: Annotated[int, Field(ge=1024, le=268_435_456)] = 8_388_608
    """Larger requests are refused with 413; the body is held in memory to find the model."""
    tracing_percent: Annotated[float, Field(ge=0, le=100)] = 100
    """Share of the requests that start a trace when the client sent none."""
    forward_token: bool = False
    """Hand the client's JWT on to the backend, for agents that verify it themselves."""
    image: str | None = None
    """Image of the variant `envoy`; default: the pinned one."""
