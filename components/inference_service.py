"""The Service `vllm-inference`: every vLLM Pod of a namespace behind one name, nearest first."""

from typing import Any

from pulumi import ComponentResource, Input, Output, ResourceOptions

from components.base import metadata
from components.child_options import child_options
from components.kubernetes_object import kubernetes_object
from components.ordering import after
from inference.vllm import PORT

NAME = "vllm-inference"


def manifest(*, namespace: Any) -> dict[str, Any]:
    """The annotation names zones' share by CPU; `trafficDistribution` prefers the own zone."""
    meta = metadata(
        NAME,
        component="model-serving",
        namespace=namespace,
        annotations={"service.kubernetes.io/topology-mode": "Auto"},
    )
    spec = {
        "selector": {"app": "vllm"},
        "ports": [{"name": "http", "port": PORT, "targetPort": PORT}],
        "trafficDistribution": "PreferClose",
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


class InferenceService(ComponentResource):
    """One name for all vLLM Pods, for callers that don't choose a model."""

    service_name: Output[str]

    def __init__(
        self, name: str, *, namespace: Input[str], opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("agentic:inference:InferenceService", name, None, opts)
        service = kubernetes_object(
            name, manifest(namespace=namespace), opts=child_options(self, opts)
        )
        self.service_name = after(NAME, [service])
        self.register_outputs({"service_name": self.service_name})
