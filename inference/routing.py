"""Who answers for a public model name: the single source of every gateway's routes."""

from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from inference.data import DataModel
from inference.provider import HostedModel, ObjectName, Provider

MODEL_HEADER = "x-model-id"
TENANT_HEADER = "x-tenant-id"
USER_HEADER = "x-user-id"

CHAT_PATHS = ("/v1/chat/completions",)
WEIGHT_TOTAL = 100

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
    picker: ObjectName | None = None
    """Name of the endpoint picker that is then made beside the backend: the Pods of the Service
    form an InferencePool, and it chooses among them by queue length and cached prefixes."""

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
    hosted: tuple[HostedModel, ...] = ()
    """Models of hosted APIs, asked in this order when the fallbacks failed too."""
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
    """What clients say as `model`, and the last part of the public path."""
    namespace: ObjectName = "ai-agents"
    """Where the agent's Service is."""
    service: ObjectName | None = None
    """Default: the agent's name."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    """The Service's port for HTTP."""
    grpc_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Where the agent speaks A2A over gRPC; callers name it in the metadata `x-model-id`."""
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 600
    """How long one answer may take, its stream included."""
    tenants: tuple[TenantName, ...] = ()
    """Who may use the agent; empty: every tenant."""

    @property
    def backend(self) -> Backend:
        return Backend(service=self.service or self.name, namespace=self.namespace, port=self.port)

    @property
    def grpc_backend(self) -> Backend | None:
        """The same Service at its gRPC port."""
        if self.grpc_port is None:
            return None
        return self.backend.model_copy(update={"port": self.grpc_port})


class McpRoute(DataModel):
    """An MCP server that clients reach at `/mcp/<name>`."""

    name: ObjectName
    """Last part of the public path."""
    service: ObjectName | None = None
    """The Service; default: the name."""
    namespace: ObjectName = "ai-agents"
    """Where the Service is."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    """Port of the Service."""
    path: Path = "/mcp"
    """Where the server answers (streamable HTTP)."""
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 600
    """Longest silence of a tool."""
    tenants: tuple[TenantName, ...] = ()
    """Who may use the server; empty: every tenant."""

    @property
    def backend(self) -> Backend:
        """The server as a backend."""
        return Backend(service=self.service or self.name, namespace=self.namespace, port=self.port)


class RouteTable(DataModel):
    """All public names of one gateway; each name stands once and each fallback exists."""

    models: tuple[ModelRoute, ...] = ()
    agents: tuple[AgentRoute, ...] = ()
    servers: tuple[McpRoute, ...] = ()
    """MCP servers, by the names of their paths."""
    providers: dict[ObjectName, Provider] = Field(default_factory=dict)
    """Hosted APIs by name."""

    @model_validator(mode="after")
    def _names_are_consistent(self) -> Self:
        problems = [
            *_twice("the name", self.names),
            *_twice("the MCP server", [each.name for each in self.servers]),
        ]
        known = {route.name for route in self.models}
        for route in self.models:
            problems += [
                _unknown(route, name, known)
                for name in route.fallbacks
                if name not in known or name == route.name
            ]
            problems += [
                _unknown_provider(route, each.provider, self.providers)
                for each in route.hosted
                if each.provider not in self.providers
            ]
        if problems:
            raise ValueError("\n".join(problems))
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
        named = (*self.routes, *self.servers)
        return tuple(sorted({tenant for route in named for tenant in route.tenants}))

    def allowed(self, tenant: str | None) -> tuple[str, ...]:
        """The public names that `tenant` may use; None stands for a tenant no route names."""
        return tuple(
            route.name for route in self.routes if not route.tenants or tenant in route.tenants
        )

    def attempts(self, route: ModelRoute) -> tuple[Backend, ...]:
        """The backends of `route`'s fallback models, in the order in which they are asked."""
        by_name = {each.name: each for each in self.models}
        return tuple(backend for name in route.fallbacks for backend in by_name[name].backends)


def _twice(what: str, names: Iterable[str]) -> list[str]:
    return [
        f"{what} {name!r} has {count} routes; each public name has one"
        for name, count in Counter(names).items()
        if count > 1
    ]


def _unknown_provider(route: ModelRoute, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"providers: {', '.join(names) or 'none'}"
    return f"model {route.name!r} falls back to the provider {name!r}, which is not there; {hint}"


def _unknown(route: ModelRoute, name: str, known: set[str]) -> str:
    if name == route.name:
        return f"model {route.name!r} falls back to itself"
    near = get_close_matches(name, sorted(known), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"models: {', '.join(sorted(known))}"
    return f"model {route.name!r} falls back to {name!r}, which has no route; {hint}"
