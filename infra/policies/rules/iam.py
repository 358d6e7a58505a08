"""IAM: no wildcard actions, and a reason for every statement over all resources."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .rule import Finding, Resource, Rule, Settings, listed

TYPES = (
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/policy:Policy",
    "aws:iam/userPolicy:UserPolicy",
    "aws:iam/groupPolicy:GroupPolicy",
)
REASON = "WhichTakesNoResource"
"""How the Sid of a statement ends whose actions AWS lets nobody narrow down to a resource."""


def wide_actions(statement: Mapping[str, Any]) -> list[str]:
    """Actions with a wildcard that a statement allows; `NotAction` allows all but a few."""
    if statement.get("Effect") == "Deny":
        return []
    if "NotAction" in statement:
        return [f"NotAction {listed(statement['NotAction'])}"]
    return [action for action in listed(statement.get("Action")) if "*" in str(action)]


def unexplained(statement: Mapping[str, Any]) -> bool:
    """Whether a statement is over every resource without a Sid that says why."""
    everything = "NotResource" in statement or "*" in listed(statement.get("Resource"))
    allows = statement.get("Effect") != "Deny"
    return allows and everything and not str(statement.get("Sid", "")).endswith(REASON)


def statements(resource: Resource) -> Iterator[Mapping[str, Any]]:
    """Those of an IAM policy; none while its text is unknown."""
    text = resource.props.get("policy")
    if resource.type not in TYPES or not isinstance(text, str | Mapping):
        return
    document = json.loads(text) if isinstance(text, str) else text
    yield from (it for it in listed(document.get("Statement")) if isinstance(it, Mapping))


def _actions(resource: Resource, _: Settings) -> Iterable[Finding]:
    for statement in statements(resource):
        for action in wide_actions(statement):
            yield Finding(
                f"statement {statement.get('Sid', 'without Sid')!r} allows {action!r}",
                "actions without '*'",
                "list the calls that are made",
            )


def _resources(resource: Resource, _: Settings) -> Iterable[Finding]:
    for statement in statements(resource):
        if unexplained(statement):
            yield Finding(
                f"statement {statement.get('Sid', 'without Sid')!r} is over every resource",
                f"'*' only in statements whose Sid ends with '{REASON}'",
                "name the resources, or split off what AWS takes no resource for",
            )


RULES = (
    Rule("iam-actions", "mandatory", "No IAM policy allows a wildcard action.", _actions, of=TYPES),
    Rule(
        "iam-resources",
        "mandatory",
        "An IAM statement over every resource says in its Sid that AWS takes none narrower.",
        _resources,
        of=TYPES,
    ),
)
