"""The stack file that is asked about, read without Pulumi."""

from dataclasses import dataclass
from pathlib import Path

import pulumi
import yaml

from components.cluster import EksConfig
from components.gpu_node_pool import GpuNodePoolConfig
from components.node_pool import NodePoolConfig
from components.secret_store import ExternalSecretsConfig
from infra.config import (
    CHECKOUT,
    KEY,
    PROJECT,
    FoundationSection,
    PlatformConfig,
    kind_of,
    parse,
)


class StackFileError(Exception):
    """The file can't be used; a line for each reason."""


@dataclass(frozen=True)
class Stack:
    """A stack that has something on AWS."""

    name: str
    region: str
    config: FoundationSection

    @property
    def platform(self) -> PlatformConfig | None:
        """The same, where workloads run on it; None for a foundation alone."""
        return self.config if isinstance(self.config, PlatformConfig) else None

    @property
    def eks(self) -> EksConfig | None:
        """The cluster that the stack makes."""
        return self.config.cluster.eks

    @property
    def cluster_name(self) -> str | None:
        """Name of its cluster on EKS."""
        if self.eks:
            return self.eks.name
        existing = self.platform.cluster.existing if self.platform else None
        return existing.eks_name if existing else None

    @property
    def pools(self) -> dict[str, NodePoolConfig]:
        """Every pool by name."""
        return {**self.config.gpu_pools, **self.config.cpu_pools}

    @property
    def gpu_pools(self) -> dict[str, GpuNodePoolConfig]:
        """Pools with GPUs."""
        return dict(self.config.gpu_pools)

    @property
    def zones(self) -> tuple[str, ...]:
        """Zones that nodes may be in."""
        if self.config.network:
            return self.config.network.availability_zones
        network = self.config.existing_network
        return tuple(network.private_subnets) if network else ()


def read_stack(name: str, *, file: Path | None = None) -> Stack | None:
    """The stack of `Pulumi.<name>.yaml`; None where it has nothing on AWS."""
    path = file or CHECKOUT / f"Pulumi.{name}.yaml"
    try:
        config = yaml.safe_load(path.read_text("utf-8"))["config"]
        data = config[f"{PROJECT}:{KEY}"]
    except OSError as error:
        there = ", ".join(sorted(it.name.split(".")[1] for it in CHECKOUT.glob("Pulumi.*.yaml")))
        raise StackFileError(
            f"stack '{name}': can't read {path.name} ({error.strerror}); allowed: {there}"
        ) from None
    except (yaml.YAMLError, KeyError, TypeError):
        raise StackFileError(f"{path.name}: got no '{PROJECT}:{KEY}' below 'config'") from None
    region = config.get("aws:region")
    try:
        found = parse(data, kind_of(data), region=region)
    except pulumi.RunError as error:
        raise StackFileError(str(error)) from None
    if not isinstance(found, FoundationSection):
        return None
    secrets = found.secrets if isinstance(found, PlatformConfig) else None
    if region is None and isinstance(secrets, ExternalSecretsConfig):
        # a platform on another stack's cluster has its secrets on AWS and nothing else
        region = secrets.region
    return Stack(name, region, found) if region else None
