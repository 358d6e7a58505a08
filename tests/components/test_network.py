"""The VPC: what is registered with AWS."""

from typing import Any, Literal

import pytest

from components.network import Network, NetworkConfig
from tests.harness.cloud import cloud_outputs
from tests.harness.recording import Recording, record

pytestmark = pytest.mark.unit

ZONES = ("us-west-2a", "us-west-2b", "us-west-2c")
SERVICES = ("ecr.api", "ecr.dkr", "sts", "eks", "secretsmanager", "logs")


def network(nat: Literal["perZone", "single"] = "perZone") -> Recording:
    config = NetworkConfig(
        cidr="10.10.0.0/16",
        availability_zones=ZONES,
        nat=nat,
        interface_endpoints=SERVICES,
        flow_log_retention_days=30,
    )

    def build() -> dict[str, Any]:
        made = Network("network", config=config, cluster="ai-cluster", region="us-west-2")
        return {"private": made.private_subnet_ids, "public": made.public_subnet_ids}

    return record(build, outputs=cloud_outputs)


def test_karpenter_finds_the_private_subnets_and_only_those() -> None:
    subnets = network().of_type(":Subnet")
    found = {it.name for it in subnets if "karpenter.sh/discovery" in it.inputs["tags"]}
    assert found == {f"network-private-{zone}" for zone in ZONES}
    assert {it.inputs["tags"].get("karpenter.sh/discovery") for it in subnets} == {
        "ai-cluster",
        None,
    }


def test_load_balancers_find_their_subnets_by_role() -> None:
    subnets = network().of_type(":Subnet")
    assert len(subnets) == 2 * len(ZONES)
    for subnet in subnets:
        role = "internal-elb" if "private" in subnet.name else "elb"
        assert subnet.inputs["tags"][f"kubernetes.io/role/{role}"] == "1"
        assert subnet.inputs["mapPublicIpOnLaunch"] is False


def test_a_nat_gateway_in_each_zone_serves_only_its_zone() -> None:
    made = network("perZone")
    assert len(made.of_type(":NatGateway")) == len(ZONES)
    routes = {it.name: it.inputs for it in made.of_type(":Route")}
    for zone in ZONES:
        assert routes[f"network-private-{zone}"]["natGatewayId"] == f"network-{zone}-id"


def test_a_single_nat_gateway_serves_every_zone() -> None:
    made = network("single")
    assert len(made.of_type(":NatGateway")) == 1
    routes = [it for it in made.of_type(":Route") if "private" in it.name]
    assert {it.inputs["natGatewayId"] for it in routes} == {f"network-{ZONES[0]}-id"}


def test_private_subnets_reach_s3_and_the_named_apis_without_nat() -> None:
    endpoints = {it.inputs["serviceName"]: it.inputs for it in network().of_type(":VpcEndpoint")}
    assert set(endpoints) == {f"com.amazonaws.us-west-2.{it}" for it in ("s3", *SERVICES)}
    gateway = endpoints.pop("com.amazonaws.us-west-2.s3")
    assert gateway["vpcEndpointType"] == "Gateway"
    assert gateway["routeTableIds"] == [f"network-private-{zone}-id" for zone in ZONES]
    for endpoint in endpoints.values():
        assert endpoint["privateDnsEnabled"] is True
        assert endpoint["subnetIds"] == [f"network-private-{zone}-id" for zone in ZONES]


def test_endpoints_accept_https_from_the_vpc_and_nothing_else() -> None:
    (group,) = network().of_type(":SecurityGroup")
    (rule,) = group.inputs["ingress"]
    assert (rule["fromPort"], rule["toPort"], rule["cidrBlocks"]) == (443, 443, ["10.10.0.0/16"])
    assert "egress" not in group.inputs


def test_the_default_security_group_lets_nothing_through() -> None:
    (group,) = network().of_type(":DefaultSecurityGroup")
    assert group.inputs["ingress"] == []
    assert group.inputs["egress"] == []


def test_every_connection_is_logged() -> None:
    made = network()
    (log,) = made.of_type(":FlowLog")
    assert log.inputs["trafficType"] == "ALL"
    assert log.inputs["logDestination"] == made.of_type(":LogGroup")[0].inputs.get(
        "arn", "arn:aws:aws:cloudwatch/logGroup:LogGroup:::network-flow-logs"
    )
