"""Parts of a stack file that belong to no single component."""

from pydantic import Field, model_validator

from components.agent_scaler import AgentScalerConfig
from components.base import ConfigModel
from components.cluster import EksConfig
from components.tenant import TenantConfig

STACK_NAME = r"^[^/\s]+/agentic-platform/[^/\s]+$"


class ExistingClusterConfig(ConfigModel):
    """A cluster that something else made."""

    kubeconfig: str
    """Path, relative to the checkout; `.local/…` follows the state folder of the local platform."""
    context: str
    """The context in that file; also the identity of the cluster, whose change replaces all."""
    eks_name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")
    """Its name when it is an EKS cluster: with it Pods get identities on AWS (it needs the add-on
    `eks-pod-identity-agent`)."""


class FoundationReference(ConfigModel):
    """A foundation that another stack of this program made."""

    name: str = Field(pattern=STACK_NAME)
    """Full name, `<organization>/agentic-platform/<stack>`; its output `foundation` says what the
    platform stands on."""


class MadeClusterConfig(ConfigModel):
    """A cluster, where this stack makes one."""

    eks: EksConfig | None = None
    """Make an EKS cluster."""


class OwnClusterConfig(MadeClusterConfig):
    """The cluster that this stack makes."""

    eks: EksConfig
    """The EKS cluster."""


class ClusterConfig(MadeClusterConfig):
    """Where the platform's objects go: exactly one of the three."""

    existing: ExistingClusterConfig | None = None
    """Use a cluster that is there."""
    stack: FoundationReference | None = None
    """Use the cluster, keys, buckets and registry of a foundation stack."""

    @model_validator(mode="after")
    def _one(self) -> "ClusterConfig":
        if [self.eks, self.existing, self.stack].count(None) != 2:
            raise ValueError(
                "exactly one of 'eks', 'existing' and 'stack' must be given; null the others"
            )
        return self


class ScalerConfig(AgentScalerConfig):
    """Scaling of one agent by its load."""

    agent: str
    """The agent's name."""


class PlatformReference(ConfigModel):
    """A platform that another stack of this program made."""

    stack: str = Field(pattern=STACK_NAME)
    """Full name, `<organization>/agentic-platform/<stack>`; its output `foundation`
    says how to reach the cluster. A whole platform, one on a foundation, or the foundation."""


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
