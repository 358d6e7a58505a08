"""How many Pods an agent has: by its waiting tasks, its open sessions, its CPU and memory."""

from typing import Annotated, Any, Self

from pulumi import ComponentResource, Input, Output, ResourceOptions
from pydantic import Field, PositiveInt, model_validator

from agents.document import Scaling
from components.agent_pod import labels
from components.base import ConfigModel, metadata
from components.child_options import child_options
from components.kubernetes_object import kubernetes_object
from components.ordering import after
from components.scaled_object import KEDA, bounds, prometheus_trigger


class AgentScalerConfig(ConfigModel):
    """What a stack decides about scaling; bounds that are left out are the document's."""

    min_replicas: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Fewest Pods; default: the document's."""
    max_replicas: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Most Pods; default: the document's."""
    polling_interval_seconds: PositiveInt = 15
    """How often KEDA looks at queue and sessions."""
    cooldown_period_seconds: PositiveInt = 300
    """How long nothing must have been waiting before the last Pod goes."""
    queue: Annotated[str, Field(pattern=r"^[A-Za-z0-9:_-]{1,128}$")] = "agent-task-queue"
    """Redis list of waiting tasks."""
    list_length: PositiveInt = 10
    """Waiting tasks for each Pod."""
    sessions_threshold: PositiveInt = 50
    """Open sessions for each Pod."""

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> Self:
        if None not in (self.min_replicas, self.max_replicas) and (
            (self.min_replicas or 0) > (self.max_replicas or 0)
        ):
            raise ValueError(
                f"minReplicas {self.min_replicas} is above maxReplicas {self.max_replicas}"
            )
        return self


def scaled_object_spec(
    config: AgentScalerConfig,
    *,
    agent: str,
    scaling: Scaling,
    prometheus_url: Any,
    redis_address: Any,
    authentication: str,
    redis_tls: bool = False,
) -> dict[str, Any]:
    """One ScaledObject with every trigger: a Deployment takes one autoscaler only."""
    least = scaling.min_replicas if config.min_replicas is None else config.min_replicas
    most = scaling.max_replicas if config.max_replicas is None else config.max_replicas
    if least > most:
        raise ValueError(f"agent {agent!r}: minReplicas {least} is above maxReplicas {most}")
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": agent},
        **bounds(
            least,
            most,
            polling_seconds=config.polling_interval_seconds,
            cooldown_seconds=config.cooldown_period_seconds,
            without_numbers=max(least, 1),
        ),
        "triggers": [
            _queue_trigger(config, redis_address, authentication, tls=redis_tls),
            prometheus_trigger(
                prometheus_url,
                f'sum(agent_active_sessions{{agent="{agent}"}})',
                config.sessions_threshold,
            ),
            *_load_triggers(scaling),
        ],
    }


def _queue_trigger(
    config: AgentScalerConfig, address: Any, authentication: str, *, tls: bool
) -> dict[str, Any]:
    """KEDA reads every trigger's metadata as strings."""
    return {
        "type": "redis",
        "metadata": {
            "address": address,
            "listName": config.queue,
            "listLength": str(config.list_length),
            "enableTLS": str(tls).lower(),
        },
        "authenticationRef": {"name": authentication},
    }


def _load_triggers(scaling: Scaling) -> list[dict[str, Any]]:
    """CPU and memory, as percent of what the Pods request."""
    targets = {
        "cpu": scaling.target_cpu_utilization,
        "memory": scaling.target_memory_utilization,
    }
    return [
        {"type": kind, "metricType": "Utilization", "metadata": {"value": str(percent)}}
        for kind, percent in targets.items()
    ]


def manifests(
    name: str,
    spec: dict[str, Any],
    *,
    agent: str,
    namespace: Any,
    redis_secret: Any,
    redis_ca_secret: Any = None,
) -> dict[str, dict[str, Any]]:
    """The ScaledObject and the TriggerAuthentication that gives it the queue's password, and with
    `redis_ca_secret` the certificate authority (key `ca.crt`) of a store with one of its own."""

    def made(kind: str, body: dict[str, Any]) -> dict[str, Any]:
        meta = metadata(name, component="agent", namespace=namespace, labels=labels(agent))
        return {"apiVersion": KEDA, "kind": kind, "metadata": meta, "spec": body}

    given = [{"parameter": "password", "name": redis_secret, "key": "password"}]
    if redis_ca_secret is not None:
        given.append({"parameter": "ca", "name": redis_ca_secret, "key": "ca.crt"})
    return {
        "authentication": made("TriggerAuthentication", {"secretTargetRef": given}),
        "scaler": made("ScaledObject", spec),
    }


class AgentScaler(ComponentResource):
    """KEDA's scaling of one agent's Deployment, whoever made that; `name` is the object's name."""

    scaler_name: Output[str]

    def __init__(
        self,
        name: str,
        *,
        config: AgentScalerConfig,
        agent: str,
        scaling: Scaling,
        namespace: Input[str],
        prometheus_url: Input[str],
        redis_address: Input[str],
        redis_secret: Input[str],
        redis_tls: bool = False,
        redis_ca_secret: str | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:agents:AgentScaler", name, None, opts)
        spec = scaled_object_spec(
            config,
            agent=agent,
            scaling=scaling,
            prometheus_url=prometheus_url,
            redis_address=redis_address,
            authentication=name,
            redis_tls=redis_tls,
        )
        objects = manifests(
            name,
            spec,
            agent=agent,
            namespace=namespace,
            redis_secret=redis_secret,
            redis_ca_secret=redis_ca_secret,
        )
        made = [
            kubernetes_object(f"{name}-{what}", manifest, opts=child_options(self, opts))
            for what, manifest in objects.items()
        ]
        self.scaler_name = after(name, made)
        self.register_outputs({"scaler_name": self.scaler_name})
