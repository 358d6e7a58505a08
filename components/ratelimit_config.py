"""Limits that hold for all Pods of the gateway together: what a stack decides about them."""

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from components.base import ConfigModel
from inference.provider import ObjectName
from inference.routing import PublicName, RouteTable

MOST = 4_294_967_295
"""envoyproxy/ratelimit keeps a limit in 32 bits."""

Amount = Annotated[int, Field(ge=1, le=MOST)]
Unit = Literal["second", "minute", "hour", "day", "month", "year"]


class LimitRule(ConfigModel):
    """One bound; of two rules for the same thing the one that names the tenant counts."""

    tenant: ObjectName | None = None
    """Whom it binds; left out: every tenant, each with a count of its own."""
    model: PublicName | None = None
    """The model that is counted; left out: everything that the tenant asks, counted together."""
    per: Unit
    """Length of the window. Windows begin at multiples of their length since 1970, so a month is
    30 days and begins for all tenants at the same moment."""
    requests: Amount | None = None
    """Requests that pass in one window."""
    tokens: Amount | None = None
    """Tokens of prompts and answers; a request passes while the count has not gone beyond."""

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if (self.requests is None) == (self.tokens is None):
            raise ValueError("a limit counts either requests or tokens; give exactly one of them")
        return self

    @property
    def kind(self) -> Literal["requests", "tokens"]:
        """What is counted."""
        return "requests" if self.tokens is None else "tokens"

    @property
    def amount(self) -> int:
        """How many of them pass."""
        return self.tokens or self.requests or 0

    @property
    def group(self) -> str:
        """Rules of one group share a dimension: what is counted, how long, by model or not."""
        return f"{self.kind}-{self.per}" + ("-model" if self.model else "")


class LimitsConfig(ConfigModel):
    """Envoy's own rate limit service and its rules; it counts in the session store."""

    rules: Annotated[tuple[LimitRule, ...], Field(min_length=1)]
    """The bounds; a request has to stay within all that apply to it."""
    on_failure: Literal["closed", "open"] = "closed"
    """When nobody can count: refuse with 503, or let pass uncounted."""
    timeout_milliseconds: Annotated[int, Field(ge=10, le=10_000)] = 1000
    """How long a request waits for the count, and how long the tokens of an answer are offered to
    it again, retries included: tokens that end in a longer outage are not counted."""
    replicas: PositiveInt = 2
    """Pods of the rate limit service."""
    image: str | None = None
    """Image of the rate limit service; default: the pinned one."""
    port: Annotated[int, Field(ge=1024, le=65535)] = 8081
    """Port of its Service, which speaks gRPC."""

    @model_validator(mode="after")
    def _each_thing_once(self) -> Self:
        things = Counter((rule.group, rule.tenant, rule.model) for rule in self.rules)
        twice = [
            f"two limits of {kind} for tenant {tenant or '(every)'}, model {model or '(all)'}"
            for (kind, tenant, model), count in things.items()
            if count > 1
        ]
        if twice:
            raise ValueError("; ".join(twice) + "; keep one of each")
        return self

    @property
    def groups(self) -> tuple[LimitRule, ...]:
        """The first rule of each group, in the order of the file."""
        first: dict[str, LimitRule] = {}
        for rule in self.rules:
            first.setdefault(rule.group, rule)
        return tuple(first.values())

    @property
    def counts_tokens(self) -> bool:
        """Whether answers have to tell how many tokens they took."""
        return any(rule.kind == "tokens" for rule in self.rules)


def check_limits(limits: LimitsConfig, routes: RouteTable) -> list[str]:
    """A line for each limit of a model that no route serves: it would never bite."""
    return [
        f"limits: a rule names the model {rule.model!r}, which has no route; "
        f"models: {', '.join(routes.names) or 'none'}"
        for rule in limits.rules
        if rule.model is not None and rule.model not in routes.names
    ]
