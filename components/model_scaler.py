"""KEDA's scaling of one model server by its queue and its KV cache."""

from typing import Any

from pulumi import ComponentResource, Input, Output, ResourceOptions

from components.base import metadata
from components.child_options import child_options
from components.kubernetes_object import kubernetes_object
from components.model_scaling_config import ModelScalingConfig
from components.ordering import after
from components.scaled_object import KEDA, bounds, prometheus_trigger

QUEUE_METRICS = {
    "vllm": "vllm:num_requests_waiting",
    "sglang": "sglang:num_queue_reqs",
    "tgi": "tgi_queue_size",
}
"""Waiting requests by engine; vLLM's as version 0.32 exports it."""
CACHE_METRICS = {"vllm": "vllm:kv_cache_usage_perc", "sglang": "sglang:token_usage"}
"""Full share of the KV cache, 0 to 1."""


def scaled_object_spec(
    name: str,
    config: ModelScalingConfig,
    *,
    engine: str,
    target: tuple[str, str],
    prometheus_url: Any,
) -> dict[str, Any]:
    """`target` is (apiVersion, kind) of the object called `name`.

    Pods are matched by name: a canary carries the same model name as its primary.
    """
    api_version, kind = target
    pods = f'{{namespace="ai-inference",pod=~"{name}-.*"}}'
    queries: dict[str, float] = {f"sum({QUEUE_METRICS[engine]}{pods})": config.waiting_requests}
    if engine in CACHE_METRICS:
        queries[f"sum({CACHE_METRICS[engine]}{pods})"] = config.kv_cache_usage
    return {
        "scaleTargetRef": {"apiVersion": api_version, "kind": kind, "name": name},
        **bounds(
            config.min_replicas,
            config.max_replicas,
            polling_seconds=config.polling_interval_seconds,
            cooldown_seconds=config.cooldown_period_seconds,
            without_numbers=config.min_replicas,
        ),
        "advanced": {
            "horizontalPodAutoscalerConfig": {
                "behavior": {
                    "scaleDown": {"stabilizationWindowSeconds": config.cooldown_period_seconds}
                }
            }
        },
        "triggers": [
            {**prometheus_trigger(prometheus_url, query, threshold), "metricType": "AverageValue"}
            for query, threshold in queries.items()
        ],
    }


def manifest(name: str, spec: dict[str, Any], *, namespace: Any) -> dict[str, Any]:
    """The ScaledObject."""
    meta = metadata(name, component="model-serving", namespace=namespace)
    return {"apiVersion": KEDA, "kind": "ScaledObject", "metadata": meta, "spec": spec}


class ModelScaler(ComponentResource):
    """Servers come with waiting requests or full caches, and go when both are low."""

    scaler_name: Output[str]

    def __init__(
        self,
        name: str,
        *,
        config: ModelScalingConfig,
        engine: str,
        target: tuple[str, str],
        namespace: Input[str],
        prometheus_url: Input[str],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:inference:ModelScaler", name, None, opts)
        spec = scaled_object_spec(
            name, config, engine=engine, target=target, prometheus_url=prometheus_url
        )
        made = kubernetes_object(
            f"{name}-scaler",
            manifest(name, spec, namespace=namespace),
            opts=child_options(self, opts),
        )
        self.scaler_name = after(name, [made])
        self.register_outputs({"scaler_name": self.scaler_name})
