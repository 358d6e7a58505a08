"""What node pools cost: for the GPUs that model servers hold at rest, and at their limits."""

from collections import Counter
from collections.abc import Iterable, Mapping
from math import ceil
from typing import Any, NamedTuple

from inference.instances import InstanceFacts, instance_table
from local.node_agent.quantities import parse

GPU = "nvidia.com/gpu"
POOL_LABEL = "karpenter.sh/nodepool"
INSTANCE_TYPE = "node.kubernetes.io/instance-type"
NODE_POOL = "kubernetes:karpenter.sh/v1:NodePool"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SCALED_OBJECT = "kubernetes:keda.sh/v1alpha1:ScaledObject"


class Resource(NamedTuple):
    """A resource of a preview: its type token and its inputs."""

    type: str
    inputs: Mapping[str, Any]


class PoolCost(NamedTuple):
    """USD an hour of one pool."""

    name: str
    gpus: int
    """Held at rest by Deployments that select the pool; devices of claims are not counted."""
    least: float
    """Those GPUs on the cheapest type; whole nodes of a static pool."""
    most: float
    """The limit, filled with the type that is dearest by it."""


def pool_costs(resources: Iterable[Resource]) -> list[PoolCost]:
    """One for each NodePool, in the order of the resources."""
    made = list(resources)
    gpus = gpus_at_rest(made)
    found = []
    for inputs in inputs_of(made, NODE_POOL):
        name, spec = str(inputs["metadata"]["name"]), inputs["spec"]
        types = _types(spec)
        static = int(spec.get("replicas") or 0) * min((_usd(it) for it in types), default=0.0)
        by_gpu = min((_usd(it) / it.gpus for it in types if it.gpus), default=0.0)
        most = _at_the_limit(spec.get("limits") or {}, types)
        found.append(PoolCost(name, gpus[name], max(static, gpus[name] * by_gpu), most))
    return found


def gpus_at_rest(resources: Iterable[Resource]) -> Counter[str]:
    """GPUs by pool; a scaled Deployment counts with the least number of its Pods."""
    made = list(resources)
    least = {
        (it["metadata"].get("namespace"), it["spec"]["scaleTargetRef"]["name"]): int(
            it["spec"].get("minReplicaCount") or 0
        )
        for it in inputs_of(made, SCALED_OBJECT)
    }
    found: Counter[str] = Counter()
    for inputs in inputs_of(made, DEPLOYMENT):
        meta, spec = inputs["metadata"], inputs["spec"]
        pod = spec["template"]["spec"]
        pool = (pod.get("nodeSelector") or {}).get(POOL_LABEL)
        each = sum(_gpus(container) for container in pod.get("containers") or ())
        pods = spec.get("replicas", least.get((meta.get("namespace"), meta.get("name")), 1))
        if pool and each:
            found[pool] += each * int(pods)
    return found


def inputs_of(resources: Iterable[Resource], kind: str) -> list[Mapping[str, Any]]:
    """Inputs of the resources with that type token."""
    return [it.inputs for it in resources if it.type == kind]


def _gpus(container: Mapping[str, Any]) -> int:
    limits = (container.get("resources") or {}).get("limits") or {}
    return int(parse(limits.get(GPU, 0)))


def _types(spec: Mapping[str, Any]) -> list[InstanceFacts]:
    """The types that a pool may buy and whose price is known."""
    table = instance_table().types
    names = [
        name
        for each in spec["template"]["spec"].get("requirements") or ()
        if each["key"] == INSTANCE_TYPE
        for name in each.get("values") or ()
    ]
    return [table[name] for name in names if name in table and table[name].usd_per_hour]


def _usd(facts: InstanceFacts) -> float:
    return facts.usd_per_hour or 0.0


def _at_the_limit(limits: Mapping[str, Any], types: list[InstanceFacts]) -> float:
    """The dearest way to fill the limit that bites first; 0 where none is known."""
    return max((min(_filled(limits, it), default=0.0) for it in types), default=0.0)


def _filled(limits: Mapping[str, Any], facts: InstanceFacts) -> list[float]:
    """USD an hour of as many nodes as each limit allows, rounded up.

    Karpenter buys no node beyond a limit, but smaller types may fill what is left.
    """
    has = {
        GPU: facts.gpus,
        "cpu": facts.vcpu,
        "memory": facts.memory_mib * 2**20,
        "nodes": 1,
    }
    return [
        ceil(parse(limit) / has[name]) * _usd(facts)
        for name, limit in limits.items()
        if has.get(name)
    ]
