"""The rules as policies of Pulumi: what the engine sends becomes a `Resource`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pulumi.runtime
from pulumi_policy import (  # type: ignore[import-not-found]  # only in the pack's own environment
    EnforcementLevel,
    PolicyConfigSchema,
    PolicyPack,
    ResourceValidationPolicy,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError  # type: ignore[import-not-found]  # the same

from .every import RULES
from .rule import UNKNOWN, Finding, Resource, Rule

NAME = "agentic-platform"
STACK_KEY = "agentic-platform:platform"
LEVELS = {"mandatory": EnforcementLevel.MANDATORY, "advisory": EnforcementLevel.ADVISORY}


def plain(value: Any) -> Any:
    """Plain data; pulumi-policy's own mappings raise where a value is not known.

    Whole numbers are made such: on the wire there are floats only.
    """
    if isinstance(value, Mapping):
        return {key: _entry(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_entry(value, place) for place in range(len(value))]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _entry(holder: Any, key: Any) -> Any:
    try:
        return plain(holder[key])
    except UnknownValueError:
        return UNKNOWN


def resource(seen: Any) -> Resource:
    """What a policy is called with, as the rules read it."""
    provider = seen.provider
    dependencies = getattr(seen, "property_dependencies", {})
    return Resource(
        type=seen.resource_type,
        name=seen.name,
        props=plain(seen.props),
        urn=seen.urn,
        protected=bool(seen.opts.protect),
        provider=provider.name if provider else "",
        provider_props=plain(provider.props) if provider else {},
        refers={key: [it.urn for it in found] for key, found in dependencies.items()},
    )


def stack_file() -> dict[str, Any]:
    """The stack's own `agentic-platform:platform`; empty in a stack without."""
    text = pulumi.runtime.get_config_env().get(STACK_KEY)
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}


def policy(rule: Rule, stack: Mapping[str, Any]) -> Any:
    """One rule as a policy."""

    def report(found: Iterable[Finding], violation: Any, of: Resource | None) -> None:
        for it in found:
            violation(it.line(of), it.resource.urn if it.resource else None)

    def over_one(args: Any, violation: Any) -> None:
        if rule.check is not None and rule.concerns(args.resource_type):
            seen = resource(args)
            report(rule.check(seen, rule.settled(stack, plain(args.get_config()))), violation, seen)

    def over_all(args: Any, violation: Any) -> None:
        if rule.check_stack is not None:
            seen = [resource(it) for it in args.resources]
            settings = rule.settled(stack, plain(args.get_config()))
            report(rule.check_stack(seen, settings), violation, None)

    common = {
        "name": rule.id,
        "description": rule.says,
        "enforcement_level": LEVELS[rule.level],
        "config_schema": schema(rule),
    }
    if rule.check is not None:
        return ResourceValidationPolicy(validate=over_one, **common)
    return StackValidationPolicy(validate=over_all, **common)


def schema(rule: Rule) -> Any:
    """Of its configuration; what the stack's file answers has no default here."""
    if not rule.settings:
        return None
    keys = {
        key: {**it.schema, "description": it.says}
        | ({} if it.from_stack else {"default": it.default})
        for key, it in rule.settings.items()
    }
    return PolicyConfigSchema(properties=keys)


def serve() -> None:
    """Answer the engine until it is done."""
    stack = stack_file()
    PolicyPack(NAME, [policy(rule, stack) for rule in RULES])
