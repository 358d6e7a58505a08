"""What a stack may buy at most and must have at least, in vCPUs and GPUs."""

from collections.abc import Mapping
from decimal import ROUND_CEILING

from components.gpu_resource import GPU_RESOURCE
from components.model_server_config import GPU_ENGINES
from components.node_pool import NodePoolConfig
from components.resource_quota import amount
from inference.instances import InstanceFacts
from infra.preflight.vcpu_quotas import Offer, Purchase, quota_code
from infra.stack_file import Stack

PURCHASES: tuple[Purchase, ...] = ("on-demand", "spot")
Facts = Mapping[str, InstanceFacts]


def offers_of(pool: NodePoolConfig, facts: Facts) -> list[Offer]:
    """Every way in which the pool buys that a quota counts; reserved capacity is none of them."""
    found = []
    for purchase in PURCHASES:
        if purchase not in pool.capacity_types:
            continue
        for name in pool.instance_types:
            code = quota_code(name, purchase)
            if code is not None and name in facts:
                found.append(Offer(code, name, facts[name].vcpu, facts[name].gpus))
    return found


def most_vcpus(pool: NodePoolConfig, facts: Facts) -> dict[str, int]:
    """Per quota, the vCPUs that the pool's own limit lets it buy."""
    found: dict[str, int] = {}
    for offer in offers_of(pool, facts):
        found[offer.code] = max(found.get(offer.code, 0), _most(pool, offer))
    return found


def _most(pool: NodePoolConfig, offer: Offer) -> int:
    bounds = []
    if pool.static_nodes is not None:
        bounds.append(pool.static_nodes * offer.vcpu)
    if "cpu" in pool.limits:
        bounds.append(int(amount(pool.limits["cpu"]).to_integral_value(ROUND_CEILING)))
    if GPU_RESOURCE in pool.limits and offer.gpus:
        bounds.append(int(pool.limits[GPU_RESOURCE]) // offer.gpus * offer.vcpu)
    if "nodes" in pool.limits:
        bounds.append(int(amount(pool.limits["nodes"])) * offer.vcpu)
    return min(bounds, default=offer.vcpu)


def model_pods(stack: Stack) -> dict[str | None, list[tuple[str, int]]]:
    """By pool (None: any), each model server's Pods that must always fit: its name, its GPUs."""
    found: dict[str | None, list[tuple[str, int]]] = {}
    for name, server in (stack.platform.model_servers if stack.platform else {}).items():
        if server.engine in GPU_ENGINES and server.gpus:
            pods = [(name, server.gpus)] * server.fewest_pods
            found.setdefault(server.node_pool, []).extend(pods)
    return found
