"""The stack files of this checkout and of its examples, as data."""

import copy
from functools import cache
from typing import Any

import yaml

from infra.config import CHECKOUT, KEY, PROJECT

EXAMPLES = CHECKOUT / "docs" / "examples"
FILES = {
    path.name.split(".")[1]: path
    for path in (*CHECKOUT.glob("Pulumi.*.yaml"), *EXAMPLES.rglob("Pulumi.*.yaml"))
}
STACKS = sorted(FILES)


@cache
def _parsed(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILES[name].read_text())["config"]
    return found


def stack_file(name: str) -> dict[str, Any]:
    """The `config` of a stack file, free to be changed."""
    return copy.deepcopy(_parsed(name))


def platform_data(name: str) -> dict[str, Any]:
    """The structured key of a stack file, free to be changed."""
    found: dict[str, Any] = stack_file(name)[f"{PROJECT}:{KEY}"]
    return found


def auto_mode_data() -> dict[str, Any]:
    """Prod in EKS Auto Mode: the same platform, with nothing beside what AWS runs itself."""
    found = platform_data("prod")
    eks = found["cluster"]["eks"]
    eks |= {"name": "ai-cluster-auto", "capacity": "autoMode", "systemNodes": None}
    found |= {"karpenter": None, "loadBalancerController": None}
    found["gateway"]["loadBalancerClass"] = "eks.amazonaws.com/nlb"
    for pools in ("gpuPools", "cpuPools"):
        for pool in found[pools].values():
            pool["nodeClass"]["amiAlias"] = "managed"
    return found


def stack_text(platform: dict[str, Any], *, like: str = "prod") -> str:
    """A stack file that holds `platform` and, for the rest, what the stack `like` has."""
    config = stack_file(like) | {f"{PROJECT}:{KEY}": platform}
    return yaml.safe_dump({"config": config}, sort_keys=False)
