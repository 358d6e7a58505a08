"""What each gateway can't do, in one table: a stack that asks for it is refused with the reason."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from components.agentgateway_backends import FORMATS
from components.agentgateway_objects import UNITS
from components.endpoint_picker import clashes
from components.gateway_config import GatewayConfig, Variant
from components.ratelimit_config import check_limits
from inference.http_route import name_clashes
from inference.routing import ModelRoute, RouteTable

VARIANTS: tuple[Variant, ...] = ("kgateway", "agentgateway", "envoy")
MOST_GROUPS = 8
"""agentgateway's own bound on groups that stand in for each other."""

Users = Callable[[GatewayConfig, RouteTable], Iterable[str]]


@dataclass(frozen=True)
class Feature:
    """One thing that a stack may ask for; `users` are the places of the stack that do."""

    name: str
    users: Users
    lacks: dict[Variant, str] = field(default_factory=dict)
    """Reason and way out, by variant; a variant that is not named can do it."""


def _models(wants: Callable[[ModelRoute], object]) -> Users:
    def found(_config: GatewayConfig, routes: RouteTable) -> list[str]:
        return [f"model {route.name!r}" for route in routes.models if wants(route)]

    return found


def _setting(key: str, wants: Callable[[GatewayConfig], object]) -> Users:
    return lambda config, _routes: [f"gateway.{key}"] if wants(config) else []


def _keyless_bedrock(config: GatewayConfig, _routes: RouteTable) -> list[str]:
    found = config.providers.items()
    return [f"gateway.providers.{name}" for name, each in found if each.key is None and each.tls]


def _too_many_groups(_config: GatewayConfig, routes: RouteTable) -> list[str]:
    return [
        f"model {route.name!r}"
        for route in routes.models
        if len(route.backends) + len(routes.attempts(route)) + len(route.hosted) > MOST_GROUPS
    ]


FEATURES: tuple[Feature, ...] = (
    Feature("strategy weight", _models(lambda route: route.strategy == "weight")),
    Feature("strategy header", _models(lambda route: route.strategy == "header")),
    Feature("strategy latency", _models(lambda route: route.strategy == "latency")),
    Feature("strategy fallback", _models(lambda route: route.strategy == "fallback")),
    Feature(
        "fallbacks of a weighted, header or latency model",
        _models(lambda route: route.fallbacks and route.strategy != "fallback"),
        {
            "kgateway": "its priority groups hold backends of one group only; use strategy "
            "'fallback', or variant 'agentgateway'"
        },
    ),
    Feature(
        "hosted models (Bedrock, OpenAI-compatible APIs)",
        _models(lambda route: route.hosted),
        {"kgateway": "kgateway 2.4 has no AI backend; use variant 'agentgateway'"},
    ),
    Feature(
        "Bedrock by the Pod's identity, without a key",
        _keyless_bedrock,
    ),
    Feature(
        "endpoint picker (InferencePool)",
        _models(lambda route: any(backend.picker for backend in route.backends)),
        {
            "kgateway": "kgateway dropped InferencePool in 2.2; use variant 'agentgateway'",
            "envoy": "nobody serves InferencePools without a controller; leave picker out",
        },
    ),
    Feature(
        "more than eight backends that stand in for each other",
        _too_many_groups,
        {"agentgateway": "it takes eight groups; list fewer fallbacks"},
    ),
    Feature(
        "paths that are no API of a language model",
        _models(lambda route: set(route.paths) - set(FORMATS)),
        {
            "agentgateway": f"it knows {', '.join(FORMATS)}; serve the model there or use variant "
            "'kgateway'"
        },
    ),
    Feature(
        "API keys and tokens side by side",
        _setting("jwt", lambda config: config.jwt),
    ),
    Feature(
        "rateLimit of single tenants, in each Pod",
        _setting("rateLimit.tenants", lambda it: it.rate_limit and it.rate_limit.tenants),
        {
            "kgateway": "its local limit counts all tenants together; use gateway.limits",
            "agentgateway": "its local limit counts all tenants together; use gateway.limits",
        },
    ),
    Feature(
        "rateLimit in windows of any length",
        _setting(
            "rateLimit.seconds",
            lambda config: config.rate_limit and config.rate_limit.seconds not in UNITS,
        ),
        {"agentgateway": "its windows are 1, 60 or 3600 seconds; choose one of them"},
    ),
    Feature(
        "limits of requests, over all Pods",
        _setting("limits", lambda config: config.limits),
    ),
    Feature(
        "limits of tokens and token budgets, over all Pods",
        _setting("limits", lambda config: config.limits and config.limits.counts_tokens),
        {"kgateway": "it counts requests, never tokens; use variant 'agentgateway'"},
    ),
)


def refusals(config: GatewayConfig, routes: RouteTable) -> list[str]:
    """A line for each thing that the stack's variant can't do, and for what no gateway could."""
    lines = [
        f"{user}: {feature.name}: variant {config.variant!r} can't: {reason}"
        for feature in FEATURES
        if (reason := feature.lacks.get(config.variant))
        for user in feature.users(config, routes)
    ]
    if config.limits:
        lines += check_limits(config.limits, routes)
    return [*lines, *name_clashes(routes), *_pools(routes), *clashes(routes)]


def _pools(routes: RouteTable) -> list[str]:
    """A pool is named from its own namespace, so one object can't name pools of two."""
    return [
        f"model {route.name!r}: its pools are in several namespaces; put them into one"
        for route in routes.models
        if len({backend.namespace for backend in route.backends if backend.picker}) > 1
    ]


def table() -> str:
    """The same for people, in Markdown."""
    head = f"| feature | {' | '.join(VARIANTS)} |\n|---|{'---|' * len(VARIANTS)}\n"
    rows = []
    for feature in FEATURES:
        cells = [feature.lacks.get(variant) for variant in VARIANTS]
        shown = " | ".join(f"no: {reason}" if reason else "yes" for reason in cells)
        rows.append(f"| {feature.name} | {shown} |")
    return head + "\n".join(rows) + "\n"
