"""Parts of a stack file that belong to no single component."""

from pydantic import Field, model_validator

from components.agent_scaler import AgentScalerConfig
from components.base import ConfigModel
from components.cluster import EksConfig
from components.tenant import TenantConfig


class ExistingClusterConfig(ConfigModel):
    """A cluster that something else made."""

    kubeconfig: str
    """Path, relative to the checkout; `.local/…` follows the state folder of the local platform."""
    context: str
    """The context in that file; also the identity of the cluster, whose change replaces all."""
    eks_name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")
    """Its name when it is an EKS cluster: with it Pods get identities on AWS (it needs the add-on
    `eks-pod-identity-agent`)."""


class ClusterConfig(ConfigModel):
    """Where the platform's objects go: exactly one of the two."""

    eks: EksConfig | None = None
    """Make an EKS cluster."""
    existing: ExistingClusterConfig | None = None
    """Use a cluster that is there."""

    @model_validator(mode="after")
    def _one(self) -> "ClusterConfig":
        if (self.eks is None) == (self.existing is None):
            raise ValueError("exactly one of 'eks' and 'existing' must be given; null the other")
        return self


class ScalerConfig(AgentScalerConfig):
    """Scaling of one agent by its load."""

    agent: str
    """The agent's name."""


class PlatformReference(ConfigModel):
    """A platform that another stack of this program made."""

    stack: str = Field(pattern=r"^[^/\s]+/agentic-platform/[^/\s]+$")
    """Full name, `<organization>/agentic-platform/<stack>`; its exports name the cluster."""


class SharedClusterConfig(ConfigModel):
    """A cluster that a tenant's stack does not own."""

    existing: ExistingClusterConfig
    """How to reach it."""


class NamedTenantConfig(TenantConfig):
    """One tenant with its name."""

    name: str = Field(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")
    """The tenant's name, and that of its namespace."""


class TenantStackConfig(ConfigModel):
    """A stack that adds one tenant to a platform; the key `tenant` makes a stack one of these."""

    environment: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")
    """A word for labels; nothing is decided by it."""
    platform: PlatformReference | None = None
    """The platform, by its stack."""
    cluster: SharedClusterConfig | None = None
    """The platform, by its cluster."""
    tenant: NamedTenantConfig
    """The tenant."""

    @model_validator(mode="after")
    def _one(self) -> "TenantStackConfig":
        if (self.platform is None) == (self.cluster is None):
            raise ValueError(
                "exactly one of 'platform' and 'cluster' must be given; null the other"
            )
        return self
