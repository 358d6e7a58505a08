"""A VPC that something else made; its subnets get the tags that others find them by."""

from typing import Annotated, Any, Self

import pulumi
from pulumi_aws import ec2
from pydantic import Field, StringConstraints, model_validator

from components.base import ConfigModel
from components.network import Zone
from components.subnet_plan import Cidr, SubnetKind, role_tags

SubnetId = Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-f]{8,17}$")]


class ExistingNetworkConfig(ConfigModel):
    """A VPC whose subnets already have their routes; nothing of it is made, changed or deleted."""

    vpc_id: str = Field(pattern=r"^vpc-[0-9a-f]{8,17}$")
    """The VPC; DNS support and DNS host names must be on."""
    cidr: Cidr
    """Its address range, to find overlaps with the cluster's Services."""
    private_subnets: dict[Zone, SubnetId] = Field(min_length=2)
    """For nodes and Pods, by zone; they reach AWS's APIs by NAT or endpoints."""
    public_subnets: dict[Zone, SubnetId] = Field(default_factory=dict)
    """For internet-facing load balancers, by zone; none when left out."""
    tag_subnets: bool = True
    """Add the tags that Karpenter and load balancers look for; off where another team owns the
    tags and has set `karpenter.sh/discovery` and `kubernetes.io/role/…` already."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        both = sorted(set(self.private_subnets.values()) & set(self.public_subnets.values()))
        if both:
            raise ValueError(
                f"{', '.join(both)} stands under privateSubnets and publicSubnets; "
                "a subnet is one of the two"
            )
        return self


class ExistingNetwork(pulumi.ComponentResource):
    """The wires of a VPC that is there, with the same names as those of `Network`."""

    vpc_id: pulumi.Output[str]
    private_subnet_ids: list[pulumi.Output[str]]
    public_subnet_ids: list[pulumi.Output[str]]
    ready: list[pulumi.Resource]
    """Nodes in private subnets are found by these tags."""

    def __init__(
        self,
        name: str,
        *,
        config: ExistingNetworkConfig,
        cluster: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:network:ExistingNetwork", name, None, opts)
        self.vpc_id = pulumi.Output.from_input(config.vpc_id)
        self.private_subnet_ids = _wires(config.private_subnets)
        self.public_subnet_ids = _wires(config.public_subnets)
        self.ready = []
        if config.tag_subnets:
            self._tag(name, "private", config.private_subnets, cluster)
            self._tag(name, "public", config.public_subnets, cluster)
        self.register_outputs({"vpc_id": self.vpc_id})

    def _tag(self, name: str, kind: SubnetKind, subnets: dict[str, str], cluster: str) -> None:
        for zone, subnet in subnets.items():
            for key, value in role_tags(kind, cluster=cluster).items():
                made: Any = ec2.Tag(
                    f"{name}-{kind}-{zone}-{key.rsplit('/', 1)[1]}",
                    resource_id=subnet,
                    key=key,
                    value=value,
                    opts=pulumi.ResourceOptions(parent=self),
                )
                self.ready.append(made)


def _wires(subnets: dict[str, str]) -> list[pulumi.Output[str]]:
    return [pulumi.Output.from_input(subnet) for subnet in subnets.values()]
