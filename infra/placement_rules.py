"""Rules about a platform on a ground that is not its own stack's."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from infra.config import PlatformConfig

OF_A_CLUSTER_ON_AWS = ("network", "existing_network", "karpenter", "gpu_pools", "cpu_pools")
ON_AWS = ("encryption", "object_storage", "image_registry", "backup", "secret_operator")
OF_A_FOUNDATION = (
    *OF_A_CLUSTER_ON_AWS,
    "encryption",
    "object_storage",
    "image_registry",
    "backup",
    "load_balancer_controller",
)


def _beside_an_existing_cluster(config: "PlatformConfig", region: str | None) -> Iterator[str]:
    """Keys that would be ignored, and what buckets and identities need."""
    existing = config.cluster.existing
    if existing is None:
        return
    for key in OF_A_CLUSTER_ON_AWS:
        if getattr(config, key):
            yield (
                f"{to_camel(key)}: got a value with cluster.existing, whose network and nodes are "
                "not this stack's; remove it or make the cluster with cluster.eks"
            )
    wanted = [to_camel(key) for key in ON_AWS if getattr(config, key)]
    if not wanted:
        return
    if region is None:
        yield f"{wanted[0]}: got a value without 'aws:region'; set it beside this key or null it"
    if config.encryption is None:
        yield f"encryption: got null; {', '.join(wanted)} need its keys; give it a value"
    if existing.eks_name is None:
        yield (
            f"cluster.existing.eksName: missing; {', '.join(wanted)} on AWS are reached by Pod "
            "Identity, which knows a cluster by its EKS name; name it or null them"
        )


def _on_a_foundation(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    """What two stacks would both believe to be theirs."""
    if config.cluster.stack is None:
        return
    for key in OF_A_FOUNDATION:
        if getattr(config, key):
            yield (
                f"{to_camel(key)}: got a value with cluster.stack, whose foundation has it; remove "
                "it, or write it into the foundation's file"
            )


def _mirrors(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    """A cluster that reaches charts in a mirror only has no way to public files either."""
    if config.chart_mirror and config.definitions and config.manifest_mirror is None:
        yield (
            f"manifestMirror: got null; with chartMirror the files of definitions "
            f"({', '.join(config.definitions)}) would still come from github.com; name a copy, or "
            "leave definitions empty"
        )


PLACEMENT_RULES = (_beside_an_existing_cluster, _on_a_foundation, _mirrors)
