"""GPUs by claim (DRA): what a Pod would like, alternatives in order, the first free one counts.

The DRA driver's chart makes the DeviceClass `gpu.nvidia.com`; attributes and capacities of devices:
https://github.com/kubernetes-sigs/dra-driver-nvidia-gpu (read at v0.4.1).
"""

from collections.abc import Mapping
from typing import Any

from pulumi import ComponentResource, Input, Output, ResourceOptions
from pydantic import Field, PositiveInt

from components.base import ConfigModel, metadata
from components.kubernetes_object import kubernetes_object
from components.ordering import after

API_VERSION = "resource.k8s.io/v1"
DRIVER = "gpu.nvidia.com"
REQUEST = "gpu"
DEVICE_CLASS = "agentic-gpu"
"""Whole GPUs, neither slices nor GPUs handed to virtual machines."""
CLAIM_QUOTA = f"{DEVICE_CLASS}.deviceclass.resource.k8s.io/devices"
"""Key of a ResourceQuota that bounds claimed GPUs; `requests.nvidia.com/gpu` does not see them."""


class GpuAlternative(ConfigModel):
    """One acceptable choice."""

    name: str = Field(pattern=r"^[a-z]([-a-z0-9]{0,30}[a-z0-9])?$")
    """Name of the choice, as the claim's status shows it."""
    count: PositiveInt = 1
    """GPUs."""
    memory_gib: PositiveInt | None = None
    """Each has at least so much memory."""
    product: str | None = Field(default=None, pattern=r"^[A-Za-z0-9 ._-]{2,64}$")
    """Part of the product's name, such as `H100`."""


class GpuClaimConfig(ConfigModel):
    """A template that Pods of one kind make their claims from."""

    alternatives: tuple[GpuAlternative, ...] = Field(min_length=1, max_length=8)
    """In order of preference; the scheduler takes the first that is free."""


def device_class_manifest() -> dict[str, Any]:
    """The DeviceClass that the platform's claims and quotas name."""
    expression = f"device.driver == '{DRIVER}' && device.attributes['{DRIVER}'].type == 'gpu'"
    return {
        "apiVersion": API_VERSION,
        "kind": "DeviceClass",
        "metadata": metadata(DEVICE_CLASS, component="capacity"),
        "spec": {"selectors": [{"cel": {"expression": expression}}]},
    }


def _selectors(choice: GpuAlternative) -> list[dict[str, Any]]:
    found = []
    if choice.memory_gib is not None:
        quantity = f"quantity('{choice.memory_gib}Gi')"
        found.append(f"device.capacity['{DRIVER}'].memory.compareTo({quantity}) >= 0")
    if choice.product is not None:
        found.append(f"device.attributes['{DRIVER}'].productName.contains('{choice.product}')")
    return [{"cel": {"expression": expression}} for expression in found]


def claim_template_manifest(name: str, config: GpuClaimConfig, *, namespace: Any) -> dict[str, Any]:
    """A ResourceClaimTemplate with prioritized alternatives."""
    choices = []
    for each in config.alternatives:
        choice: dict[str, Any] = {
            "name": each.name,
            "deviceClassName": DEVICE_CLASS,
            "allocationMode": "ExactCount",
            "count": each.count,
        }
        if selectors := _selectors(each):
            choice["selectors"] = selectors
        choices.append(choice)
    requests = [{"name": REQUEST, "firstAvailable": choices}]
    return {
        "apiVersion": API_VERSION,
        "kind": "ResourceClaimTemplate",
        "metadata": metadata(name, component="capacity", namespace=namespace),
        "spec": {"spec": {"devices": {"requests": requests}}},
    }


def claim_of_pod(template: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What goes into a Pod's spec, and what into its container's `resources`, to use a template."""
    claim = {"name": "gpu", "resourceClaimTemplateName": template}
    return {"resourceClaims": [claim]}, {"claims": [{"name": "gpu"}]}


class GpuClaims(ComponentResource):
    """The DeviceClass, and the templates of one namespace."""

    templates: Mapping[str, Output[str]]
    """Names of the templates; their users wait for them."""

    def __init__(
        self,
        name: str,
        *,
        config: Mapping[str, GpuClaimConfig],
        namespace: Input[str],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:capacity:GpuClaims", name, None, opts)
        device_class = kubernetes_object(
            name, device_class_manifest(), opts=ResourceOptions(parent=self)
        )
        waits = ResourceOptions(parent=self, depends_on=[device_class])
        self.templates = {
            each: after(
                each,
                [
                    kubernetes_object(
                        f"{name}-{each}",
                        claim_template_manifest(each, settings, namespace=namespace),
                        opts=waits,
                    )
                ],
            )
            for each, settings in config.items()
        }
        self.register_outputs({})
