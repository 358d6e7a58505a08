"""What makes GPUs usable and visible: device plugin or DRA driver, and the DCGM exporter."""

from collections.abc import Collection, Iterable
from typing import Any, Literal

import pulumi
import yaml
from pydantic import Field

from components.base import ConfigModel
from components.child_options import child_options
from components.gpu_claim import API_VERSION, GpuAlternative, GpuClaimConfig
from components.gpu_resource import GPU_TOLERATION
from components.gpu_sharing import WHOLE, GpuSharing, plugin_settings
from components.helm_chart import HelmChart

NAMESPACE = "kube-system"
GPU_PRESENT = "karpenter.k8s.aws/instance-gpu-manufacturer"
GPU_PRESENT_IN_AUTO_MODE = "eks.amazonaws.com/instance-gpu-manufacturer"

DEFAULT_CLAIMS = {
    "large-gpu": GpuClaimConfig(
        alternatives=(
            GpuAlternative(name="h100", product="H100"),
            GpuAlternative(name="a100", product="A100"),
            GpuAlternative(name="two-a10g", product="A10G", count=2),
        )
    )
}
"""The architecture's three GPUs, the strongest first."""


class GpuSupportConfig(ConfigModel):
    """How GPUs are offered to Pods."""

    allocation: Literal["devicePlugin", "dra"] = "devicePlugin"
    """`devicePlugin`: Pods ask for `nvidia.com/gpu`, and Karpenter buys nodes for them. `dra`: Pods
    claim devices; Karpenter does not see claims (`settings.ignoreDRARequests` of its chart 1.14),
    so every GPU pool must then have staticNodes."""
    metrics: bool = True
    """Run the DCGM exporter on GPU nodes; needs the ServiceMonitor kind."""
    claims: dict[str, GpuClaimConfig] = Field(default=DEFAULT_CLAIMS)
    """With `dra`: ResourceClaimTemplates of the namespace ai-inference, by name."""


def only_gpu_nodes(label: str = GPU_PRESENT) -> dict[str, Any]:
    """Scheduling of a DaemonSet that belongs on GPU nodes and on no others."""
    return {
        "nodeSelector": {label: "nvidia"},
        "tolerations": [GPU_TOLERATION],
    }


def device_plugin_values(sharings: Iterable[GpuSharing] = ()) -> dict[str, Any]:
    """Values of the nvidia-device-plugin chart; its own affinity wants labels that nothing sets.

    A pool that shares its GPUs labels its nodes with the name of a configuration.
    """
    # Helm merges maps: only null takes a default of the chart away.
    values = only_gpu_nodes() | {"affinity": None, "gfd": {"enabled": False}}
    wanted = {it.plugin_config: it for it in sharings}
    if not wanted:
        return values
    settings = {WHOLE: plugin_settings(None)} | {
        name: plugin_settings(wanted[name]) for name in sorted(wanted)
    }
    texts = {name: yaml.safe_dump(each) for name, each in settings.items()}
    return values | {"config": {"map": texts, "default": WHOLE}}


def efa_plugin_values(types: Iterable[str]) -> dict[str, Any]:
    """Values of the aws-efa-k8s-device-plugin chart: nodes of these types, whatever their taints.

    Ours in place of the chart's list of types, which may lag behind the instance facts.
    """
    labels = {"keys": ["node.kubernetes.io/instance-type"], "values": sorted(set(types))}
    return {"supportedInstanceLabels": labels, "tolerations": [{"operator": "Exists"}]}


def dra_driver_values() -> dict[str, Any]:
    """Values of the DRA driver's chart: GPUs, no multi-node fabric."""
    return {
        "gpuResourcesEnabledOverride": True,
        "resources": {"gpus": {"enabled": True}, "computeDomains": {"enabled": False}},
        "resourceApiVersion": API_VERSION,
        "nvidiaDriverRoot": "/",
        "kubeletPlugin": only_gpu_nodes() | {"affinity": None},
    }


def dcgm_exporter_values(*, label: str = GPU_PRESENT, dra: bool = False) -> dict[str, Any]:
    """Values of the dcgm-exporter chart."""
    values = only_gpu_nodes(label) | {
        "serviceMonitor": {"enabled": True, "interval": "15s"},
        "kubernetes": {"enablePodLabels": True},
    }
    return values | ({"kubernetesDRA": {"enabled": True}} if dra else {})


class GpuSupport(pulumi.ComponentResource):
    """DaemonSets of GPU nodes."""

    def __init__(
        self,
        name: str,
        *,
        config: GpuSupportConfig,
        sharings: Iterable[GpuSharing] = (),
        efa_types: Collection[str] = (),
        auto_mode: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`sharings` are those of the pools, `efa_types` the instance types of those with EFA
        interfaces. EKS Auto Mode brings device plugins of its own."""
        super().__init__("agentic:capacity:GpuSupport", name, None, opts)
        dra = config.allocation == "dra"
        charts: dict[str, dict[str, Any]] = {}
        if dra:
            charts["nvidia-dra-driver-gpu"] = dra_driver_values()
        elif not auto_mode:
            charts["nvidia-device-plugin"] = device_plugin_values(sharings)
        if efa_types and not auto_mode:
            charts["aws-efa-k8s-device-plugin"] = efa_plugin_values(efa_types)
        if config.metrics:
            label = GPU_PRESENT_IN_AUTO_MODE if auto_mode else GPU_PRESENT
            charts["dcgm-exporter"] = dcgm_exporter_values(label=label, dra=dra)
        for chart, values in charts.items():
            HelmChart(
                chart,
                chart=chart,
                namespace=NAMESPACE,
                values=values,
                opts=child_options(self, opts),
            )
        self.register_outputs({})
