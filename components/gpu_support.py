"""What makes GPUs usable and visible: the device plugin and the DCGM exporter."""

from typing import Any

import pulumi
import yaml
from pydantic import PositiveInt

from components.base import ConfigModel
from components.child_options import child_options
from components.gpu_node_pool import GPU_RESOURCE
from components.helm_chart import HelmChart

NAMESPACE = "kube-system"
GPU_PRESENT = "karpenter.k8s.aws/instance-gpu-manufacturer"


class GpuSupportConfig(ConfigModel):
    """How GPUs are offered to Pods.

    The device plugin is the working combination with Karpenter, which ignores DRA claims when it
    chooses nodes (chart value `settings.ignoreDRARequests`, on by default in 1.14).
    """

    time_slices: PositiveInt = 1
    """Pods that share one GPU; 1 gives each Pod whole GPUs."""
    metrics: bool = True
    """Run the DCGM exporter on GPU nodes; needs the ServiceMonitor kind."""


def only_gpu_nodes() -> dict[str, Any]:
    """Scheduling of a DaemonSet that belongs on GPU nodes and on no others."""
    return {
        "nodeSelector": {GPU_PRESENT: "nvidia"},
        "tolerations": [{"key": GPU_RESOURCE, "operator": "Exists", "effect": "NoSchedule"}],
    }


def device_plugin_values(config: GpuSupportConfig) -> dict[str, Any]:
    """Values of the nvidia-device-plugin chart; its own affinity wants labels that nothing sets."""
    # Helm merges maps: only null takes a default of the chart away.
    values = only_gpu_nodes() | {"affinity": None, "gfd": {"enabled": False}}
    if config.time_slices == 1:
        return values
    shared = {"resources": [{"name": GPU_RESOURCE, "replicas": config.time_slices}]}
    settings = yaml.safe_dump({"version": "v1", "sharing": {"timeSlicing": shared}})
    return values | {"config": {"map": {"default": settings}, "default": "default"}}


def dcgm_exporter_values() -> dict[str, Any]:
    """Values of the dcgm-exporter chart."""
    return only_gpu_nodes() | {
        "serviceMonitor": {"enabled": True, "interval": "15s"},
        "kubernetes": {"enablePodLabels": True},
    }


class GpuSupport(pulumi.ComponentResource):
    """DaemonSets of GPU nodes."""

    def __init__(
        self,
        name: str,
        *,
        config: GpuSupportConfig,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:capacity:GpuSupport", name, None, opts)
        child = child_options(self, opts)
        HelmChart(
            "nvidia-device-plugin",
            chart="nvidia-device-plugin",
            namespace=NAMESPACE,
            values=device_plugin_values(config),
            opts=child,
        )
        if config.metrics:
            HelmChart(
                "dcgm-exporter",
                chart="dcgm-exporter",
                namespace=NAMESPACE,
                values=dcgm_exporter_values(),
                opts=child,
            )
        self.register_outputs({})
