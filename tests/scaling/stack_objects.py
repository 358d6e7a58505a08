"""The objects of the stack `prod` (and of `tenant-a`), as the program registers them.

Nothing is written here a second time: a NodePool keeps every field but its nodeClassRef, which
names the class of fake nodes. An edit of stack data (`mutants`) makes a mutant.
"""

import copy
from dataclasses import dataclass
from functools import cache
from typing import Any

from infra import stack
from infra.config import PlatformConfig, TenantStackConfig, parse
from local.kube import Manifest
from tests.harness.cloud import CALLER, cloud_outputs
from tests.harness.recording import Recording, record
from tests.infra.stack_data import platform_data, stack_file
from tests.scaling import mutants

NODE_CLASS = {"group": "karpenter.kwok.sh", "kind": "KWOKNodeClass", "name": "default"}
AGENT = "customer-support-agent"
TENANT = "tenant-a"


def region() -> str:
    """Where prod runs."""
    return str(stack_file("prod")["aws:region"])


@dataclass(frozen=True)
class Platform:
    """What the program registered, to be looked up by kind and name."""

    recording: Recording

    def manifest(self, kind: str, name: str) -> Manifest:
        """One Kubernetes object; raises LookupError unless there is exactly one."""
        found = [item for item in self.manifests(kind) if item["metadata"]["name"] == name]
        if len(found) != 1:
            raise LookupError(f"{len(found)} objects {kind} {name}")
        return found[0]

    def manifests(self, kind: str) -> list[Manifest]:
        """All Kubernetes objects of a kind."""
        return [
            _whole_numbers(copy.deepcopy(each.inputs))
            for each in self.recording.resources
            if each.type.startswith("kubernetes:") and each.type.endswith(f":{kind}")
        ]

    def node_pool(self, name: str) -> Manifest:
        """A NodePool over fake nodes."""
        found = self.manifest("NodePool", name)
        found["spec"]["template"]["spec"]["nodeClassRef"] = NODE_CLASS
        return found

    def node_pools(self) -> list[Manifest]:
        """All of them."""
        return [self.node_pool(each["metadata"]["name"]) for each in self.manifests("NodePool")]


@cache
def prod() -> Platform:
    """The stack as it is; agents as the Deployments that we make, for no kagent runs here."""
    return _prod(platform_data("prod"))


def queue() -> str:
    """The Redis list by whose length the agent is scaled."""
    triggers = prod().manifest("ScaledObject", mutants.SCALER)["spec"]["triggers"]
    (found,) = (each["metadata"]["listName"] for each in triggers if each["type"] == "redis")
    return str(found)


@cache
def changed() -> Platform:
    """The stack after all edits of `mutants`."""
    data = platform_data("prod")
    mutants.edit(data)
    return _prod(data)


def _prod(data: dict[str, Any]) -> Platform:
    data["agentService"]["controller"] = "none"
    config = parse(data, PlatformConfig, region=region())
    made = record(lambda: stack.build(config, region()), answers=CALLER, outputs=cloud_outputs)
    return Platform(made)


@cache
def tenant(*, mutant: bool = False) -> Platform:
    """The stack of one tenant, or of its mutant."""
    data = platform_data(TENANT)
    if mutant:
        mutants.edit_tenant(data)
    config = parse(data, TenantStackConfig, region=None)
    return Platform(record(lambda: stack.build(config, None)))


def _whole_numbers(value: Any) -> Any:
    """The mock monitor hands every number over as a float."""
    if isinstance(value, dict):
        return {key: _whole_numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
