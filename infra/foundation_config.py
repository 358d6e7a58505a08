"""The ground's part of a stack file: that of a whole platform, or a foundation stack's all."""

from typing import Any, Literal

from pydantic import Field, ValidationInfo, model_validator

from components.backup import BackupConfig
from components.base import PART_OF, ConfigModel
from components.drain import TeardownConfig
from components.encryption import EncryptionConfig
from components.existing_network import ExistingNetworkConfig
from components.gpu_node_pool import GpuNodePoolConfig
from components.image_registry import ImageRegistryConfig
from components.karpenter import KarpenterConfig
from components.load_balancer_controller import LoadBalancerControllerConfig
from components.network import NetworkConfig
from components.node_pool import NodePoolConfig
from components.object_storage import ObjectStorageConfig
from infra.problems import BrokenRulesError
from infra.rules import broken_ground_rules
from infra.sections import MadeClusterConfig, OwnClusterConfig


class FoundationSection(ConfigModel):
    """What a stack has on AWS, and the cluster with its nodes."""

    environment: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")
    """A word for tags and labels; nothing is decided by it."""
    protect: bool
    """Whether everything that holds data refuses to be deleted."""
    retain_on_delete: bool = False
    """Whether what holds data stays on AWS when it leaves this stack."""
    pinned_node_images: bool = False
    """Refuse node images that change by themselves (`al2023@latest`)."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Tags of every AWS resource, besides the platform's own."""

    network: NetworkConfig | None = None
    """The VPC of an EKS cluster."""
    existing_network: ExistingNetworkConfig | None = None
    """A VPC that something else made, in place of `network`."""
    encryption: EncryptionConfig | None = None
    """KMS keys; needed with EKS."""
    object_storage: ObjectStorageConfig | None = None
    """S3 buckets."""
    image_registry: ImageRegistryConfig | None = None
    """ECR repositories."""
    backup: BackupConfig | None = None
    """Daily copies of volumes and of the buckets that ask for it."""
    chart_mirror: str | None = Field(default=None, pattern=r"^oci://[^\s]+$")
    """OCI folder with a copy of every chart, in place of all public repositories."""
    image_mirror: str | None = Field(
        default=None, pattern=r"^(registry://|[a-z0-9.-]+(:\d+)?(/[\w.-]+)*)$"
    )
    """Registry, with a folder if need be, that has every image below the name of its public
    registry (`<mirror>/quay.io/…`); `registry://` is the account's own ECR with its caches."""
    cluster: MadeClusterConfig
    """The cluster that everything else runs on."""
    karpenter: KarpenterConfig | None = None
    """The node autoscaler; needed for pools."""
    gpu_pools: dict[str, GpuNodePoolConfig] = Field(default_factory=dict)
    """Karpenter pools with GPUs, by NodePool name."""
    cpu_pools: dict[str, NodePoolConfig] = Field(default_factory=dict)
    """Karpenter pools for everything else, by NodePool name."""
    load_balancer_controller: LoadBalancerControllerConfig | None = None
    """Gives the gateway its address on EKS; EKS Auto Mode brings its own."""
    teardown: TeardownConfig = TeardownConfig()
    """What `pulumi destroy --run-program` does before the cluster goes."""

    @property
    def resource_tags(self) -> dict[str, str]:
        """What every AWS resource of the stack bears."""
        return {"Project": PART_OF, "Environment": self.environment} | self.tags


class FoundationStackConfig(FoundationSection):
    """A stack of the ground alone: network, cluster, nodes, keys, buckets, registry. Platforms of
    other stacks stand on it by `cluster.stack`."""

    layer: Literal["foundation"]
    """Makes a stack one of these."""
    cluster: OwnClusterConfig
    """The cluster that platforms stand on."""

    @model_validator(mode="after")
    def _rules_between_keys(self, info: ValidationInfo) -> "FoundationStackConfig":
        context: dict[str, Any] = info.context or {}
        lines = broken_ground_rules(self, region=context.get("region"))
        if lines:
            raise BrokenRulesError(lines)
        return self
