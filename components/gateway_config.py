"""What a stack decides about the gateway; the routes themselves are `inference.routing`."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from components.base import ConfigModel
from inference.routing import ModelRoute, ObjectName

GATEWAY_NAME = "ai-gateway"


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
    jwks_url: Annotated[str, Field(pattern=r"^https://[^/\s:]+(:\d+)?/[^\s]*$")] | None = None
    """Where the identity provider publishes its keys; without it the key set is an input."""


class RateLimitConfig(ConfigModel):
    """Requests that one tenant may send to one gateway Pod in a window."""

    requests: PositiveInt = 600
    """Requests of one tenant in one window; more are answered with 429."""
    seconds: PositiveInt = 60
    """Length of the window."""
    tenants: dict[ObjectName, PositiveInt] = Field(default_factory=dict)
    """Tenants with another number of requests."""


class GatewayConfig(ConfigModel):
    """The gateway of one stack."""

    variant: Literal["kgateway", "envoy"]
    """kgateway: the controller runs the proxies · envoy: one Deployment of plain Envoy."""
    port: Annotated[int, Field(ge=1, le=65535)] = 80
    """Port of the Service."""
    replicas: Annotated[int, Field(ge=1, le=100)] = 2
    """Pods of the proxy."""
    public: bool = False
    """An internet-facing load balancer; else an internal one."""
    models: tuple[ModelRoute, ...] = ()
    """Public models; agents are routed without being listed."""
    jwt: JwtConfig | None = None
    """Tokens that are accepted beside API keys; without it keys alone open the gateway."""
    rate_limit: RateLimitConfig | None = RateLimitConfig()
    """Bound on each tenant's requests; `null`: none."""
    max_request_bytes: Annotated[int, Field(ge=1024, le=268_435_456)] = 8_388_608
    """Larger requests are refused with 413; the body is held in memory to find the model."""
    tracing_percent: Annotated[float, Field(ge=0, le=100)] = 100
    """Share of the requests that start a trace when the client sent none."""
    forward_token: bool = False
    """Hand the client's JWT on to the backend, for agents that verify it themselves."""
    image: str | None = None
    """Image of the variant `envoy`; default: the pinned one."""

    @model_validator(mode="after")
    def _the_variant_can_do_it(self) -> Self:
        if self.variant == "envoy" and self.jwt and self.jwt.jwks_url:
            raise ValueError(
                "gateway: variant 'envoy' takes the key set itself, not jwksUrl; "
                "leave jwksUrl out or use variant 'kgateway'"
            )
        return self
