"""Who answers for a public model name: the single source of every gateway's routes."""

from collections import Counter
from difflib import get_close_matches
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from inference.data import DataModel

MODEL_HEADER = "x-model-id"
TENANT_HEADER = "x-tenant-id"
USER_HEADER = "x-user-id"

CHAT_PATHS = ("/v1/chat/completions",)
WEIGHT_TOTAL = 100

ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
PublicName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}$")]
HeaderName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
HeaderValue = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,256}$")]
TenantName = ObjectName
Path = Annotated[str, Field(pattern=r"^/[A-Za-z0-9/_.-]*$")]
Strategy = Literal["weight", "header", "latency", "fallback"]


class Backend(DataModel):
    """A Kubernetes Service that speaks the OpenAI protocol."""

    service: ObjectName
    """Name of the Service; of a model server, its key in the stack file."""
    namespace: ObjectName = "ai-inference"
    """Where the Service is."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    """Port of the Service."""
    weight: Annotated[int, Field(ge=0, le=WEIGHT_TOTAL)] | None = None
    """Percent of the requests; only for the strategy `weight`, where all sum to 100."""
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    """Only for the strategy `header`: the request headers that choose this backend."""

    @property
    def host(self) -> str:
        return f"{self.service}.{self.namespace}.svc.cluster.local"


class ModelRoute(DataModel):
    """A public model name and the backends behind it."""

    name: PublicName
    """What clients send as `model` or in `x-model-id`."""
    paths: Annotated[tuple[Path, ...], Field(min_length=1)] = CHAT_PATHS
    """Path prefixes of the OpenAI API that this model serves."""
    strategy: Strategy = "weight"
    """weight: share by percent · header: choose by request headers · latency: the backend with
    the fewest open requests · fallback: the next backend when one fails, in the listed order."""
    backends: Annotated[tuple[Backend, ...], Field(min_length=1)]
    """Servers that answer for the model; `strategy` shares the requests among them."""
    fallbacks: tuple[PublicName, ...] = ()
    """Other models of the table, asked in this order when every backend of this one failed."""
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 120
    """Longest silence of a backend; a stream that keeps flowing may last longer."""
    tenants: tuple[TenantName, ...] = ()
    """Who may use the model; empty: every tenant."""

    @model_validator(mode="after")
    def _strategy_and_backends_agree(self) -> Self:
        if self.strategy == "weight":
            self._check_weights()
        elif any(backend.weight is not None for backend in self.backends):
            raise ValueError(
                f"model {self.name!r}: weight belongs to strategy 'weight', not {self.strategy!r}"
            )
        if self.strategy == "header":
            self._check_headers()
        elif any(backend.headers for backend in self.backends):
            raise ValueError(
                f"model {self.name!r}: headers belong to strategy 'header', not {self.strategy!r}"
            )
        return self

    def _check_weights(self) -> None:
        weights = self.weights
        if sum(weights) != WEIGHT_TOTAL:
            raise ValueError(
                f"model {self.name!r}: the weights {', '.join(map(str, weights))} sum to "
                f"{sum(weights)}; they must sum to {WEIGHT_TOTAL}"
            )

    def _check_headers(self) -> None:
        last = self.backends[-1]
        if last.headers or any(not backend.headers for backend in self.backends[:-1]):
            raise ValueError(
                f"model {self.name!r}: strategy 'header' needs headers on every backend but the "
                "last, which takes the rest"
            )

    @property
    def weights(self) -> tuple[int, ...]:
        """Percent of each backend; a single backend without a weight takes everything."""
        if len(self.backends) == 1 and self.backends[0].weight is None:
            return (WEIGHT_TOTAL,)
        return tuple(backend.weight or 0 for backend in self.backends)


class AgentRoute(DataModel):
    """An agent that is asked like a model, by its own name, and over A2A at `/a2a/<name>`."""

    name: ObjectName
    namespace: ObjectName = "ai-agents"
    service: ObjectName | None = None
    """Default: the agent's name."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 600
    tenants: tuple[TenantName, ...] = ()
    """Who may use the agent; empty: every tenant."""

    @property
    def backend(self) -> Backend:
        return Backend(service=self.service or self.name, namespace=self.namespace, port=self.port)


class RouteTable(DataModel):
    """All public names of one gateway; each name stands once and each fallback exists."""

    models: tuple[ModelRoute, ...] = ()
    agents: tuple[AgentRoute, ...] = ()

    @model_validator(mode="after")
    def _names_are_consistent(self) -> Self:
        problems = [
            f"the name {name!r} has {count} routes; each public name has one"
            for name, count in Counter(self.names).items()
            if count > 1
        ]
        known = {route.name for route in self.models}
        for route in self.models:
            problems += [
                _unknown(route, name, known)
                for name in route.fallbacks
                if name not in known or name == route.name
            ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def routes(self) -> tuple[ModelRoute | AgentRoute, ...]:
        return (*self.models, *self.agents)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(route.name for route in self.routes)

    @property
    def tenants(self) -> tuple[str, ...]:
        """The tenants that some route names, each once, sorted."""
        return tuple(sorted({t for route in self.routes for t in route.tenants}))

    def allowed(self, tenant: str | None) -> tuple[str, ...]:
        """The public names that `tenant` may use; None stands for a tenant no route names."""
        return tuple(
            route.name for route in self.routes if not route.tenants or tenant in route.tenants
        )

    def attempts(self, route: ModelRoute) -> tuple[Backend, ...]:
        """The backends of `route`'s fallback models, in the order in which they are asked."""
        by_name = {each.name: each for each in self.models}
        return tuple(backend for name in route.fallbacks for backend in by_name[name].backends)


def _unknown(route: ModelRoute, name: str, known: set[str]) -> str:
    if name == route.name:
        return f"model {route.name!r} falls back to itself"
    near = get_close_matches(name, sorted(known), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"models: {', '.join(sorted(known))}"
    return f"model {route.name!r} falls back to {name!r}, which has no route; {hint}"
