"""The limits as envoyproxy/ratelimit reads them, and as the gateways ask for them."""

from typing import Any

from components.ratelimit_config import LimitRule, LimitsConfig
from inference.routing import MODEL_HEADER, TENANT_HEADER

DOMAIN = "ai-gateway"
KIND_KEY = "limit"
# kgateway calls an entry that comes from a header by the header's name.
TENANT_KEY = TENANT_HEADER
MODEL_KEY = MODEL_HEADER


def service_configuration(limits: LimitsConfig) -> dict[str, Any]:
    """The service's own file.

    It takes the most exact entry of each level and never looks back, so what holds for every
    tenant is repeated below each tenant that has rules of its own.
    """
    descriptors = []
    for first in limits.groups:
        rules = [rule for rule in limits.rules if rule.group == first.group]
        plain = [_tenant(rule) | _limit(rule) for rule in rules]
        inner = _by_model(rules) if first.model else plain
        descriptors.append({"key": KIND_KEY, "value": first.group, "descriptors": inner})
    return {"domain": DOMAIN, "descriptors": descriptors}


def _tenant(rule: LimitRule) -> dict[str, Any]:
    return {"key": TENANT_KEY} | ({"value": rule.tenant} if rule.tenant else {})


def _limit(rule: LimitRule) -> dict[str, Any]:
    return {"rate_limit": {"unit": rule.per, "requests_per_unit": rule.amount}}


def _by_model(rules: list[LimitRule]) -> list[dict[str, Any]]:
    everyone = {rule.model: rule for rule in rules if rule.tenant is None}
    nodes = []
    for first in {rule.tenant: rule for rule in rules}.values():
        own = {rule.model: rule for rule in rules if rule.tenant == first.tenant}
        models = [
            {"key": MODEL_KEY, "value": name} | _limit(rule)
            for name, rule in (everyone | own).items()
        ]
        nodes.append(_tenant(first) | {"descriptors": models})
    return nodes


def entries(rule: LimitRule) -> list[tuple[str, str | None, str]]:
    """What is sent for one group: key, fixed value or None, and the header it comes from else."""
    found: list[tuple[str, str | None, str]] = [
        (KIND_KEY, rule.group, ""),
        (TENANT_KEY, None, TENANT_HEADER),
    ]
    if rule.model:
        found.append((MODEL_KEY, None, MODEL_HEADER))
    return found
