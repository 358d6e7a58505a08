"""The stack files of this checkout, as data."""

import copy
from typing import Any

import yaml

from infra.config import CHECKOUT, KEY, PROJECT

STACKS = sorted(path.name.split(".")[1] for path in CHECKOUT.glob("Pulumi.*.yaml"))


def stack_file(name: str) -> dict[str, Any]:
    """The `config` of a stack file."""
    found: dict[str, Any] = yaml.safe_load((CHECKOUT / f"Pulumi.{name}.yaml").read_text())["config"]
    return found


def platform_data(name: str) -> dict[str, Any]:
    """The structured key of a stack file, free to be changed."""
    found: dict[str, Any] = copy.deepcopy(stack_file(name)[f"{PROJECT}:{KEY}"])
    return found
