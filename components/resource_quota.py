"""What a namespace may use: its ResourceQuota, and the LimitRange that fills in what Pods omit."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from components.base import ConfigModel, metadata

QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"

Quantity = Annotated[str, Field(pattern=QUANTITY)]


_UNITS = {"m": Decimal("0.001"), "": Decimal(1)}
_UNITS |= {unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)}
_UNITS |= {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)}


def amount(quantity: str) -> Decimal:
    """The number that Kubernetes reads out of a quantity (`500m`, `2`, `16Gi`)."""
    digits = quantity.rstrip("mkKMGTPEi")
    return Decimal(digits) * _UNITS[quantity[len(digits) :]]


class ResourceQuotaConfig(ConfigModel):
    """A quota as Kubernetes counts it."""

    name: str
    """Name of the ResourceQuota object."""
    hard: dict[str, Quantity] = Field(min_length=1)
    """Resource name (`requests.cpu`, `requests.nvidia.com/gpu`, `pods` …) to its upper bound."""


class ContainerDefaults(ConfigModel):
    """What a container gets that states nothing; a quota refuses Pods that state nothing at all."""

    request_cpu: Quantity = "50m"
    """CPU request."""
    request_memory: Quantity = "128Mi"
    """Memory request."""
    limit_cpu: Quantity = "1"
    """CPU limit; a container that requests more must state its own."""
    limit_memory: Quantity = "1Gi"
    """Memory limit; a container that requests more must state its own."""


def resource_quota_manifest(config: ResourceQuotaConfig, *, namespace: Any) -> dict[str, Any]:
    """A ResourceQuota over the whole namespace."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": metadata(config.name, component="namespace", namespace=namespace),
        "spec": {"hard": dict(config.hard)},
    }


def limit_range_manifest(config: ContainerDefaults, *, namespace: Any) -> dict[str, Any]:
    """A LimitRange that only gives defaults and bounds nothing."""
    limits = {
        "type": "Container",
        "defaultRequest": {"cpu": config.request_cpu, "memory": config.request_memory},
        "default": {"cpu": config.limit_cpu, "memory": config.limit_memory},
    }
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": metadata("container-defaults", component="namespace", namespace=namespace),
        "spec": {"limits": [limits]},
    }
