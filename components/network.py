"""The VPC: a private and a public subnet in each zone, and the ways out of them."""

from typing import Annotated, Any, Literal

import pulumi
from pulumi_aws import ec2
from pydantic import Field, StringConstraints

from components.base import ConfigModel
from components.flow_logs import FlowLogs
from components.subnet_plan import Cidr, PlannedSubnet, VpcCidr, role_tags, subnet_plan
from components.vpc_endpoints import InterfaceService, VpcEndpoints

Zone = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d[a-z]$")]


class NetworkConfig(ConfigModel):
    """What a stack decides about its VPC."""

    cidr: VpcCidr
    """A private /16; each zone takes two /20 of it."""
    availability_zones: tuple[Zone, ...] = Field(min_length=2, max_length=6)
    """Zones by name, in an order that never changes: each keeps its addresses."""
    nat: Literal["perZone", "single"]
    """A NAT gateway in each zone, or one for all: cheaper, and a single point of failure."""
    interface_endpoints: tuple[InterfaceService, ...]
    """AWS APIs that private subnets reach without NAT; S3 always has its gateway endpoint."""
    flow_log_retention_days: Literal[7, 14, 30, 60, 90, 180, 365]
    """How long accepted and refused connections are kept."""
    connected_networks: dict[str, Cidr] = Field(default_factory=dict)
    """Networks that will be peered with this VPC, by name; they may not overlap it."""


def subnet_tags(subnet: PlannedSubnet, *, cluster: str) -> dict[str, str]:
    """What load balancers and Karpenter look for, and a name for people."""
    name = f"{cluster}-{subnet.kind}-{subnet.zone}"
    return {"Name": name} | role_tags(subnet.kind, cluster=cluster)


class Network(pulumi.ComponentResource):
    """A VPC for one cluster."""

    vpc_id: pulumi.Output[str]
    private_subnet_ids: list[pulumi.Output[str]]
    public_subnet_ids: list[pulumi.Output[str]]
    ready: list[pulumi.Resource]
    """Nodes in private subnets can't join before these routes exist."""

    def __init__(
        self,
        name: str,
        *,
        config: NetworkConfig,
        cluster: str,
        region: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`cluster` is the name that discovery tags carry; the cluster itself comes later."""
        super().__init__("agentic:network:Network", name, None, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        vpc = ec2.Vpc(
            name,
            cidr_block=config.cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags={"Name": f"{cluster}-{name}"},
            opts=self._child,
        )
        self.vpc_id = vpc.id
        # Without rules of its own, the default group can't let anything in by mistake.
        ec2.DefaultSecurityGroup(name, vpc_id=vpc.id, ingress=[], egress=[], opts=self._child)
        plan = subnet_plan(config.cidr, config.availability_zones)
        subnets = {(it.kind, it.zone): self._subnet(name, it, cluster) for it in plan}
        public = {zone: subnets["public", zone] for zone in config.availability_zones}
        private = {zone: subnets["private", zone] for zone in config.availability_zones}
        self.public_subnet_ids = [subnet.id for subnet in public.values()]
        self.private_subnet_ids = [subnet.id for subnet in private.values()]
        internet = self._public_routes(name, public)
        tables, self.ready = self._private_routes(name, config, public, private, internet)
        VpcEndpoints(
            name,
            services=config.interface_endpoints,
            region=region,
            vpc_id=vpc.id,
            vpc_cidr=config.cidr,
            subnet_ids=self.private_subnet_ids,
            route_table_ids=[table.id for table in tables],
            opts=self._child,
        )
        FlowLogs(
            name,
            vpc_id=vpc.id,
            retention_days=config.flow_log_retention_days,
            opts=self._child,
        )
        self.register_outputs({"vpc_id": self.vpc_id})

    def _subnet(self, name: str, subnet: PlannedSubnet, cluster: str) -> Any:
        return ec2.Subnet(
            f"{name}-{subnet.kind}-{subnet.zone}",
            vpc_id=self.vpc_id,
            availability_zone=subnet.zone,
            cidr_block=subnet.cidr,
            # A load balancer and a NAT gateway ask for their public address themselves.
            map_public_ip_on_launch=False,
            tags=subnet_tags(subnet, cluster=cluster),
            opts=self._child,
        )

    def _public_routes(self, name: str, public: dict[str, Any]) -> Any:
        internet = ec2.InternetGateway(name, vpc_id=self.vpc_id, opts=self._child)
        table = ec2.RouteTable(f"{name}-public", vpc_id=self.vpc_id, opts=self._child)
        route = ec2.Route(
            f"{name}-public",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=internet.id,
            opts=self._child,
        )
        for zone, subnet in public.items():
            ec2.RouteTableAssociation(
                f"{name}-public-{zone}",
                subnet_id=subnet.id,
                route_table_id=table.id,
                opts=self._child,
            )
        return route

    def _private_routes(
        self,
        name: str,
        config: NetworkConfig,
        public: dict[str, Any],
        private: dict[str, Any],
        internet: Any,
    ) -> tuple[list[Any], list[pulumi.Resource]]:
        zones = config.availability_zones
        with_nat = zones if config.nat == "perZone" else zones[:1]
        gateways = {zone: self._nat(f"{name}-{zone}", public[zone], internet) for zone in with_nat}
        tables, routes = [], []
        for zone in zones:
            gateway = gateways.get(zone, gateways[with_nat[0]])
            table = ec2.RouteTable(f"{name}-private-{zone}", vpc_id=self.vpc_id, opts=self._child)
            routes.append(
                ec2.Route(
                    f"{name}-private-{zone}",
                    route_table_id=table.id,
                    destination_cidr_block="0.0.0.0/0",
                    nat_gateway_id=gateway.id,
                    opts=self._child,
                )
            )
            ec2.RouteTableAssociation(
                f"{name}-private-{zone}",
                subnet_id=private[zone].id,
                route_table_id=table.id,
                opts=self._child,
            )
            tables.append(table)
        return tables, routes

    def _nat(self, name: str, subnet: Any, internet: Any) -> Any:
        address = ec2.Eip(name, domain="vpc", opts=self._child)
        waits = pulumi.ResourceOptions(parent=self, depends_on=[internet])
        return ec2.NatGateway(name, allocation_id=address.id, subnet_id=subnet.id, opts=waits)
