"""What a stack file may not say about AWS, each refusal with path, value and way out."""

from typing import Any

import pulumi
import pytest

from infra.config import PlatformConfig, parse
from tests.infra.stack_data import auto_mode_data, platform_data

pytestmark = pytest.mark.unit

EXISTING = {
    "vpcId": "vpc-0123456789abcdef0",
    "cidr": "10.10.0.0/16",
    "privateSubnets": {
        "us-west-2a": "subnet-0123456789abcdef0",
        "us-west-2b": "subnet-0123456789abcdef1",
    },
    "publicSubnets": {},
}


def mistakes(data: dict[str, Any]) -> list[str]:
    with pytest.raises(pulumi.RunError) as caught:
        parse(data, PlatformConfig, region="us-west-2")
    return str(caught.value).splitlines()[1:]


def test_the_stack_in_auto_mode_is_valid() -> None:
    config = parse(auto_mode_data(), PlatformConfig, region="us-west-2")
    assert config.cluster.eks is not None
    assert config.cluster.eks.auto_mode


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("karpenter",), {"replicas": 2}, "karpenter: got a value; EKS Auto Mode runs Karpenter"),
        (("cluster", "eks", "cni"), "cilium", "cluster.eks.cni: got 'cilium'; Auto Mode runs"),
        (
            ("cluster", "eks", "systemNodes"),
            {"instanceTypes": ["m6i.large"], "minSize": 1, "maxSize": 2},
            "cluster.eks.systemNodes: got a value; Auto Mode needs no managed nodes",
        ),
        (
            ("loadBalancerController",),
            {"replicas": 2},
            "loadBalancerController: got a value; Auto Mode makes load balancers itself",
        ),
        (("gateway", "loadBalancerClass"), None, "gateway.loadBalancerClass: got null; Auto Mode"),
        (
            ("gpuPools", "gpu-inference-pool", "nodeClass", "amiAlias"),
            "al2023@v20260903",
            "gpuPools.gpu-inference-pool.nodeClass.amiAlias: got 'al2023@v20260903'; in Auto Mode",
        ),
        (
            ("cpuPools", "general-pool", "nodeClass", "localDisks"),
            True,
            "cpuPools.general-pool.nodeClass.localDisks: got true; Auto Mode",
        ),
    ],
)
def test_what_auto_mode_cant_do_is_refused_with_the_reason(
    path: tuple[str, ...], value: Any, line: str
) -> None:
    data = auto_mode_data()
    here = data
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    (found,) = mistakes(data)
    assert found.startswith(line)


@pytest.mark.parametrize(("how", "value"), [("timeSlices", 4), ("migProfile", "1g.5gb")])
def test_auto_mode_shares_no_gpus(how: str, value: Any) -> None:
    data = auto_mode_data()
    pool = data["gpuPools"]["gpu-inference-pool"]
    pool |= {"sharing": {how: value}, "instanceTypes": ["p4d.24xlarge"]}
    lines = [it for it in mistakes(data) if ".sharing." in it]
    assert lines[0].startswith(
        f"gpuPools.gpu-inference-pool.sharing.{how}: got a value; the device"
    )


def test_auto_modes_image_is_not_karpenters() -> None:
    data = platform_data("prod")
    data["cpuPools"]["general-pool"]["nodeClass"]["amiAlias"] = "managed"
    (line,) = mistakes(data)
    assert line.startswith("cpuPools.general-pool.nodeClass.amiAlias: got 'managed', which leaves")


def test_karpenter_needs_nodes_to_start_on() -> None:
    data = platform_data("prod")
    data["cluster"]["eks"]["systemNodes"] = None
    (line,) = mistakes(data)
    assert line.startswith("cluster.eks.systemNodes: got null; Karpenter and DNS need nodes")


def test_a_gateway_on_eks_gets_its_address_from_a_controller() -> None:
    (line,) = mistakes(platform_data("prod") | {"loadBalancerController": None})
    assert line.startswith("loadBalancerController: got null; without it the gateway gets no")


def test_an_existing_vpc_takes_the_place_of_a_new_one() -> None:
    data = platform_data("prod") | {"existingNetwork": EXISTING}
    (line, _) = mistakes(data)
    assert line.startswith("network: exactly one of 'network' and 'existingNetwork'")
    parse(data | {"network": None}, PlatformConfig, region="us-west-2")


def test_the_addresses_of_an_existing_vpc_are_compared_too() -> None:
    existing = EXISTING | {"cidr": "172.20.0.0/14"}
    data = platform_data("prod") | {"network": None, "existingNetwork": existing}
    lines = mistakes(data)
    assert lines[0].startswith(
        "existingNetwork.cidr: got '172.20.0.0/14'; it overlaps cluster.eks.serviceCidr"
    )
    assert lines[1].startswith("networkPolicies.cloudCidr: got '10.10.0.0/16'; allowed is the VPC")


def test_connected_networks_that_collide_are_named_in_pairs() -> None:
    data = platform_data("prod")
    data["network"]["connectedNetworks"] = {"office": "10.10.4.0/24", "lab": "10.10.4.128/25"}
    lines = mistakes(data)
    assert len(lines) == 3, lines
    assert "network.connectedNetworks.office: got '10.10.4.0/24'; it overlaps " in lines[2]
    assert "network.connectedNetworks.lab '10.10.4.128/25'" in lines[2]


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("vpcId", "vpc-1", "vpcId: got 'vpc-1'"),
        ("privateSubnets", {"us-west-2a": "subnet-0123456789abcdef0"}, "privateSubnets: got a map"),
        (
            "publicSubnets",
            {"us-west-2a": "subnet-0123456789abcdef0"},
            "existingNetwork: subnet-0123456789abcdef0 stands under privateSubnets and public",
        ),
        (
            "publicSubnets",
            {"eu-west-1a": "subnet-0123456789abcdefa"},
            "existingNetwork.publicSubnets.eu-west-1a: got a zone outside of aws:region",
        ),
    ],
)
def test_an_existing_vpc_that_cant_be_is_refused(key: str, value: Any, why: str) -> None:
    existing = EXISTING | {key: value}
    lines = mistakes(platform_data("prod") | {"network": None, "existingNetwork": existing})
    assert any(why in line for line in lines), lines


def test_a_service_range_that_eks_refuses_is_refused_before() -> None:
    data = platform_data("prod")
    data["cluster"]["eks"]["serviceCidr"] = "100.64.0.0/16"
    (line,) = mistakes(data)
    assert "a /12 to /24 inside 10.0.0.0/8" in line


def test_cold_backups_are_kept_long_enough() -> None:
    data = platform_data("prod") | {"backup": {"retainDays": 35, "coldAfterDays": 30}}
    (line,) = mistakes(data)
    assert line.startswith("backup: retainDays (35) must be at least 90 above coldAfterDays (30)")


def test_a_cache_of_a_registry_that_asks_for_credentials_needs_them() -> None:
    data = platform_data("prod")
    data["imageRegistry"]["pullThrough"]["upstreams"]["docker.io"] = {}
    (line,) = mistakes(data)
    assert line.startswith("imageRegistry.pullThrough: docker.io: ECR asks these registries with")
