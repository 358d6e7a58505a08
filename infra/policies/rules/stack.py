"""Providers, protection, and how large a stack may grow."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .rule import NUMBER, STRINGS, TRUTH, Finding, Resource, Rule, Setting, Settings, at

PROVIDER = "pulumi:providers:"
BUDGETS = {"whole": 500, "foundation": 250, "platform": 350, "tenant": 40}
"""Most resources by kind of stack; local/preview/budget.py shows how a stack stands to them."""
WITH_DATA = [
    "aws:backup/vault:Vault",
    "aws:dynamodb/table:Table",
    "aws:ebs/volume:Volume",
    "aws:ecr/repository:Repository",
    "aws:efs/fileSystem:FileSystem",
    "aws:kms/key:Key",
    "aws:rds/cluster:Cluster",
    "aws:rds/instance:Instance",
    "aws:s3/bucket:Bucket",
    "aws:secretsmanager/secret:Secret",
]


def _explicit(resource: Resource, _: Settings) -> Iterable[Finding]:
    if resource.provider.startswith("default"):
        yield Finding(
            f"uses the default provider {resource.provider!r}",
            "a provider that the program made",
            "pass it in the resource's options; set pulumi:disable-default-providers",
        )


def _protected(resource: Resource, settings: Settings) -> Iterable[Finding]:
    if settings["protect"] and resource.type in settings["types"] and not resource.protected:
        yield Finding(
            "is not protected", "protect=True on what holds data", "hand the stack's `protect` on"
        )


def _budget(resources: Sequence[Resource], settings: Settings) -> Iterable[Finding]:
    """A preview's time grows with each of them."""
    count = sum(1 for it in resources if not it.type.startswith(PROVIDER))
    if count > settings["resources"]:
        yield Finding(
            f"the stack has {count} resources",
            f"{settings['resources']}",
            "split the stack (docs/stacks.md), or give tenants stacks of their own",
        )


def _most(stack: Mapping[str, Any]) -> int:
    """By what kind of stack its file describes."""
    if "tenant" in stack:
        return BUDGETS["tenant"]
    if "layer" in stack:
        return BUDGETS["foundation"]
    return BUDGETS["platform" if at(stack, "cluster", "stack") else "whole"]


def _protect(stack: Mapping[str, Any]) -> Any:
    return stack.get("protect")


RULES = (
    Rule(
        "explicit-provider",
        "mandatory",
        "No resource uses a default provider.",
        _explicit,
    ),
    Rule(
        "data-protected",
        "mandatory",
        "What holds data is protected where the stack says `protect: true`.",
        _protected,
        settings={
            "protect": Setting(
                TRUTH, "as `protect` of the stack's file", default=False, from_stack=_protect
            ),
            "types": Setting(STRINGS, "kinds that hold data", WITH_DATA),
        },
    ),
    Rule(
        "stack-size",
        # a stack that is too large must still be repairable
        "advisory",
        "A stack stays small enough for a preview of a minute.",
        check_stack=_budget,
        settings={
            "resources": Setting(
                NUMBER, "most in one stack, by the kind of its file", BUDGETS["whole"], _most
            )
        },
    ),
)
