"""What a stack tells the stacks that stand on its cluster: one output, typed and versioned.

Ids and addresses only. Whoever may read a stack's outputs may read this, so a credential in it is
refused when it is written and when it is read.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field, field_validator

from components.base import ConfigModel
from infra.offer import Capacity, Offer, PoolOffer

OUTPUT = "foundation"
"""Name of the stack output."""
VERSION = 1
"""Grows when a field changes its meaning or goes. A new one with a default does not need it: older
programs leave out what they do not know."""
CREDENTIALS = frozenset(
    {"token", "tokenFile", "password", "client-key", "client-key-data", "auth-provider"}
)
"""What a user of a kubeconfig may not have."""


class OutputModel(ConfigModel):
    """A part of the contract."""

    model_config = ConfigDict(extra="ignore")


class ClusterOutputs(OutputModel):
    """How to reach the cluster."""

    name: str
    """Its name; for EKS what Pod Identity knows it by."""
    kubeconfig: str
    """JSON whose users run a command for a token, or the path of a file."""
    context: str | None = None
    """The context in that file."""
    capacity: Capacity | None = None
    """Who runs nodes; None where that is not this program's."""
    kubernetes_version: str | None = None
    """Minor version; None where another program chose it."""

    @field_validator("kubeconfig")
    @classmethod
    def _holds_no_credential(cls, text: str) -> str:
        held = credentials_in(text)
        if held:
            raise ValueError(f"a kubeconfig without credentials; this one has {', '.join(held)}")
        return text


class BucketOutputs(OutputModel):
    """An S3 bucket."""

    name: str
    """Physical name."""
    arn: str
    """For policies."""


class AccountOutputs(OutputModel):
    """What lies in the AWS account beside the cluster."""

    region: str
    """AWS region."""
    number: str
    """Number of the account."""
    key_arns: dict[str, str]
    """KMS keys by purpose."""
    buckets: dict[str, BucketOutputs] = Field(default_factory=dict)
    """By their short names."""
    repositories: dict[str, str] = Field(default_factory=dict)
    """ECR: the reference that images are pushed to, without a tag, by repository."""


class NetworkOutputs(OutputModel):
    """The VPC of the cluster."""

    cidr: str
    """Its range."""
    private_subnet_ids: tuple[str, ...]
    """One a zone."""
    security_group_id: str
    """The group that control plane and nodes share."""


class FoundationOutputs(OutputModel):
    """What platforms and tenants of other stacks stand on."""

    version: int = VERSION
    """Of this contract."""
    cluster: ClusterOutputs
    """Where objects go."""
    account: AccountOutputs | None = None
    """None without one."""
    network: NetworkOutputs | None = None
    """None for a cluster that something else made."""
    pools: dict[str, PoolOffer] = Field(default_factory=dict)
    """What Pods find on nodes, by NodePool name."""

    @property
    def offer(self) -> Offer:
        """What workloads may ask for."""
        account = self.account
        return Offer(
            capacity=self.cluster.capacity,
            kubernetes_version=self.cluster.kubernetes_version,
            network_cidr=self.network.cidr if self.network else None,
            subnets=self.network is not None,
            repositories=tuple(account.repositories) if account else (),
            buckets=tuple(account.buckets) if account else (),
            pools=self.pools,
        )

    def as_output(self) -> dict[str, Any]:
        """For `pulumi.export`: plain data, camelCase."""
        return self.model_dump(mode="json", by_alias=True)


def credentials_in(kubeconfig: str) -> list[str]:
    """Names of the credentials in a kubeconfig in JSON; a path has none."""
    if not kubeconfig.lstrip().startswith("{"):
        return []
    users: list[Mapping[str, Any]] = json.loads(kubeconfig).get("users") or []
    return sorted({key for each in users for key in each.get("user") or {}} & CREDENTIALS)
