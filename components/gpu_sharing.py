"""Several Pods on one GPU: slices of time, or slices of hardware (MIG).

Karpenter knows whole GPUs only. What a node's device plugin offers instead has a name of its own,
which a NodeOverlay teaches Karpenter; under the name `nvidia.com/gpu` it would buy a node too many.
"""

from collections.abc import Iterable
from typing import Any

from pydantic import Field, model_validator

from components.base import ConfigModel, metadata
from components.gpu_resource import GPU_RESOURCE
from inference.instances import instance_table

SHARED_RESOURCE = "nvidia.com/gpu.shared"
PLUGIN_CONFIG_LABEL = "nvidia.com/device-plugin.config"
"""Which of its configurations the device plugin takes on a node."""
WHOLE = "whole"

MIG_PROFILES: dict[str, dict[str, int]] = {
    "A100-40GB": {"1g.5gb": 7, "1g.10gb": 4, "2g.10gb": 3, "3g.20gb": 2, "7g.40gb": 1},
    "A100-80GB": {"1g.10gb": 7, "1g.20gb": 4, "2g.20gb": 3, "3g.40gb": 2, "7g.80gb": 1},
    "H100": {"1g.10gb": 7, "1g.20gb": 4, "2g.20gb": 3, "3g.40gb": 2, "7g.80gb": 1},
    "H200": {"1g.18gb": 7, "1g.35gb": 4, "2g.35gb": 3, "3g.71gb": 2, "7g.141gb": 1},
    "B200": {"1g.23gb": 7, "1g.45gb": 4, "2g.45gb": 3, "3g.90gb": 2, "7g.180gb": 1},
}
"""Model to profile to instances on one GPU (NVIDIA MIG User Guide, supported profiles)."""


class GpuSharing(ConfigModel):
    """How the GPUs of one pool are shared; exactly one of the two."""

    time_slices: int | None = Field(default=None, ge=2, le=48)
    """So many Pods take turns on a GPU, as `nvidia.com/gpu.shared`; memory is not divided."""
    mig_profile: str | None = Field(default=None, pattern=r"^[1-7]g\.[0-9]+gb$")
    """GPUs are split in hardware when the node starts; Pods ask for `nvidia.com/mig-<profile>`."""

    @model_validator(mode="after")
    def _one(self) -> "GpuSharing":
        if (self.time_slices is None) == (self.mig_profile is None):
            raise ValueError("exactly one of 'timeSlices' and 'migProfile' must be given")
        return self

    @property
    def resource(self) -> str:
        """What a Pod asks for."""
        return f"nvidia.com/mig-{self.mig_profile}" if self.mig_profile else SHARED_RESOURCE

    @property
    def plugin_config(self) -> str:
        """Name of the device plugin's configuration, and value of the label that chooses it."""
        return "mig" if self.mig_profile else f"time-slices-{self.time_slices}"

    def shares(self, instance_type: str) -> int:
        """Shares on one node of a known type."""
        facts = instance_table().types[instance_type]
        return facts.gpus * self.shares_of_a_gpu(facts.gpu or "")

    def shares_of_a_gpu(self, gpu: str) -> int:
        """Shares of one GPU; KeyError for one that lacks the profile."""
        if self.mig_profile is None:
            return self.time_slices or 1
        return MIG_PROFILES[gpu][self.mig_profile]


def sharing_problem(sharing: GpuSharing, instance_types: Iterable[str]) -> str | None:
    """Why these types can't be shared so; None when they can."""
    types = instance_table().types
    for name in instance_types:
        if name not in types:
            return f"shares of '{name}' can't be counted: it is not in inference/instances.json"
        gpu = types[name].gpu or "no GPU"
        profiles = MIG_PROFILES.get(gpu, {})
        if sharing.mig_profile and sharing.mig_profile not in profiles:
            known = ", ".join(profiles) or "none: choose timeSlices or types with A100, H100, H200"
            return (
                f"'{name}' ({gpu}) has no MIG profile '{sharing.mig_profile}'; "
                f"allowed there: {known}"
            )
    return None


def plugin_settings(sharing: GpuSharing | None) -> dict[str, Any]:
    """One configuration of the device plugin."""
    if sharing is None:
        return {"version": "v1"}
    if sharing.mig_profile:
        return {"version": "v1", "flags": {"migStrategy": "mixed"}}
    resources = [{"name": GPU_RESOURCE, "replicas": sharing.time_slices}]
    slices = {"renameByDefault": True, "resources": resources}
    return {"version": "v1", "sharing": {"timeSlicing": slices}}


def mig_user_data(profile: str, *, instances: int) -> str:
    """What splits every GPU of a node before its kubelet starts; Karpenter adds its own part."""
    wanted = ",".join([profile] * instances)
    lines = (
        "MIME-Version: 1.0",
        'Content-Type: multipart/mixed; boundary="//"',
        "",
        "--//",
        'Content-Type: text/x-shellscript; charset="us-ascii"',
        "",
        "#!/bin/bash",
        "set -euo pipefail",
        "nvidia-smi -mig 1",
        f"nvidia-smi mig -cgi {wanted} -C",
        "--//--",
    )
    return "\n".join(lines) + "\n"


def overlay_manifests(
    pool: str, sharing: GpuSharing, instance_types: Iterable[str]
) -> list[dict[str, Any]]:
    """NodeOverlays, one for each count of shares: what a node of the pool will offer."""
    by_count: dict[int, list[str]] = {}
    for name in instance_types:
        by_count.setdefault(sharing.shares(name), []).append(name)
    return [
        {
            "apiVersion": "karpenter.sh/v1alpha1",
            "kind": "NodeOverlay",
            "metadata": metadata(f"{pool}-{count}", component="capacity"),
            "spec": {
                "requirements": [
                    {"key": "karpenter.sh/nodepool", "operator": "In", "values": [pool]},
                    {
                        "key": "node.kubernetes.io/instance-type",
                        "operator": "In",
                        "values": names,
                    },
                ],
                "capacity": {sharing.resource: str(count)},
            },
        }
        for count, names in by_count.items()
    ]
