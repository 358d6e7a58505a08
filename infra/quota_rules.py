"""Rules about quotas: the platform's own Pods must fit into those of its namespaces."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import pulumi

from components import tool_server
from components.model_server import deployment_spec
from components.resource_quota import amount
from infra.documents import Documents

if TYPE_CHECKING:
    from infra.config import PlatformConfig


class Workload(NamedTuple):
    """So many equal Pods."""

    name: str
    replicas: int
    resources: Mapping[str, str]
    """Of one Pod, as a quota names them: `requests.cpu`, `limits.memory`, `pods` …"""


def pod_resources(requests: Mapping[str, str], limits: Mapping[str, str]) -> dict[str, str]:
    """What one Pod takes of a quota; a plain `cpu` in a quota means its requests."""
    found = {f"requests.{key}": value for key, value in requests.items()}
    found |= {f"limits.{key}": value for key, value in limits.items()}
    return found | dict(requests) | {"pods": "1"}


def demand(workloads: Iterable[Workload]) -> dict[str, Decimal]:
    """The most that they take at once: all of them, and one more Pod of each kind in turn,
    because a rollout keeps every old Pod until a new one is ready."""
    total: Counter[str] = Counter()
    surge: dict[str, Decimal] = {}
    for workload in workloads:
        for resource, quantity in workload.resources.items():
            total[resource] += amount(quantity) * workload.replicas  # type: ignore[assignment] # a Counter adds any number
            surge[resource] = max(surge.get(resource, Decimal(0)), amount(quantity))
    return {resource: Decimal(total[resource]) + surge[resource] for resource in total}


def too_small(
    namespace: str, hard: Mapping[str, str], workloads: Iterable[Workload]
) -> Iterator[str]:
    """A line for each bound of the quota below what the platform's own Pods need."""
    listed = list(workloads)
    for resource, needed in demand(listed).items():
        if resource in hard and amount(hard[resource]) < needed:
            users = ", ".join(it.name for it in listed if resource in it.resources)
            yield (
                f"namespaces.{namespace}.quota.hard.{resource}: got '{hard[resource]}'; the "
                f"platform's own Pods there ({users}) need {_shown(resource, needed)} while one of "
                "them is rolled out; raise the quota or ask for less"
            )


def _shown(resource: str, needed: Decimal) -> str:
    if not resource.endswith("memory"):
        return f"{needed.normalize():f}"
    return f"{(needed / 1024**3).quantize(Decimal('0.1')).normalize():f}Gi"


def model_workloads(config: "PlatformConfig") -> Iterator[Workload]:
    """The stack's model servers, scaled ones at their smallest."""
    for name, server in config.model_servers.items():
        if server.engine == "external":
            continue
        spec = deployment_spec(name, server)
        containers = spec["template"]["spec"]["containers"]
        resources = containers[0]["resources"]
        used = pod_resources(resources["requests"], resources["limits"])
        yield Workload(name, server.fewest_pods, used)


def agent_workloads(config: "PlatformConfig", documents: Documents) -> Iterator[Workload]:
    """The stack's agents at their smallest, which must always be there, and their tool server."""
    fewest = {it.agent: it.min_replicas for it in config.scalers.values()}
    for name, agent in documents.agents.items():
        least = fewest.get(name)
        resources = agent.spec.resources
        used = pod_resources(resources.requests.model_dump(), resources.limits.model_dump())
        replicas = agent.spec.scaling.min_replicas if least is None else least
        yield Workload(name, max(replicas, 1), used)
    server = config.tool_server
    if server is not None:
        used = pod_resources(server.resources["requests"], server.resources["limits"])
        yield Workload(tool_server.NAME, server.replicas, used)


def _models(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    namespace = "ai-inference"
    quota = config.namespaces[namespace].quota
    if quota is not None:
        yield from too_small(namespace, quota.hard, model_workloads(config))


def require_quotas(config: "PlatformConfig", documents: Documents) -> None:
    """`pulumi.RunError`, a line each, for agents that don't fit into their namespace's quota."""
    namespace = "ai-agents"
    quota = config.namespaces[namespace].quota
    if quota is None:
        return
    problems = list(too_small(namespace, quota.hard, agent_workloads(config, documents)))
    if problems:
        raise pulumi.RunError("\n".join(problems))


QUOTA_RULES = (_models,)
