"""Rules about model servers that need something else of the stack."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.config import PlatformConfig


def _scaling(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    scaled = [name for name, server in config.model_servers.items() if server.scaling]
    for name in scaled:
        path = f"modelServers.{name}.scaling"
        if config.autoscaling_operator is None:
            yield f"{path}: needs KEDA; set autoscalingOperator or give replicas instead"
        if config.metrics.variant != "chart":
            yield (
                f"{path}: asks Prometheus by Pod, which needs metrics.variant 'chart', not "
                f"'{config.metrics.variant}'; choose it or give replicas instead"
            )


def _public_names(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    """An adapter is reached by its own name, so two servers of it are two models of one name."""
    owners: dict[str, str] = {}
    for name, server in config.model_servers.items():
        for adapter in server.adapters:
            if adapter in owners:
                yield (
                    f"modelServers.{name}.adapters.{adapter}: got a name that "
                    f"'{owners[adapter]}' has too; rename one of them"
                )
            owners[adapter] = name


def _queues(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    """A scaler counts a whole list: with two agents in it both would grow for one's work."""
    owners: dict[str, str] = {}
    for name, scaler in config.scalers.items():
        owner = owners.setdefault(scaler.queue, scaler.agent)
        if owner != scaler.agent:
            yield (
                f"scalers.{name}.queue: got '{scaler.queue}', which is the queue of agent "
                f"'{owner}'; give agent '{scaler.agent}' one of its own"
            )


def _gpu_claims(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    support = config.gpu_support
    known = support.claims if support and support.allocation == "dra" else {}
    for name, server in config.model_servers.items():
        if server.gpu_claim and server.gpu_claim not in known:
            yield (
                f"modelServers.{name}.gpuClaim: got '{server.gpu_claim}'; allowed: "
                f"{', '.join(known) or 'none without gpuSupport.allocation dra'}"
            )


def _tools(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    watching = config.agent_service.tool_watch == "cluster"
    policies = config.network_policies
    if config.tool_server is not None and config.agent_service.auth == "jwt":
        yield (
            "toolServer: kagent lists its tools without a token, which agentService.auth 'jwt' "
            "refuses; choose the auth 'gateway', or set toolServer to null"
        )
    if (watching or config.tool_server) and policies and policies.cloud_cidr is None:
        key = "agentService.toolWatch: got 'cluster', but" if watching else "toolServer:"
        yield (
            f"{key} networkPolicies lets no Pod of ai-agents to the API server; set "
            "networkPolicies.cloudCidr to the addresses that it has"
        )


SERVING_RULES = (_gpu_claims, _queues, _scaling, _public_names, _tools)
