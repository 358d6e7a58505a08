"""What a stack file may not say about AWS, each refusal with path, value and way out."""

from typing import Any

import pulumi
import pytest

from infra import stack
from infra.config import PlatformConfig, parse
from tests.harness.cloud import CALLER, cloud_outputs
from tests.harness.recording import record
from tests.infra.platforms import BROUGHT, EXISTING_KEY, EXISTING_NETWORK, built
from tests.infra.stack_data import auto_mode_data, platform_data

pytestmark = pytest.mark.unit


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
    data = platform_data("prod") | {"existingNetwork": EXISTING_NETWORK}
    (line, _) = mistakes(data)
    assert line.startswith("network: exactly one of 'network' and 'existingNetwork'")
    parse(data | {"network": None}, PlatformConfig, region="us-west-2")


def test_the_addresses_of_an_existing_vpc_are_compared_too() -> None:
    existing = EXISTING_NETWORK | {"cidr": "172.20.0.0/14"}
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
    existing = EXISTING_NETWORK | {key: value}
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


def on_an_existing_cluster() -> dict[str, Any]:
    """Prod's charts and buckets on an EKS cluster that somebody else made."""
    existing = {"kubeconfig": "their.kubeconfig", "context": "theirs", "eksName": "their-cluster"}
    gone = ("network", "karpenter", "loadBalancerController", "existingNetwork")
    return (
        platform_data("prod")
        | {"cluster": {"existing": existing}, "gpuPools": {}, "cpuPools": {}}
        | dict.fromkeys(gone)
    )


def test_a_platform_with_buckets_can_stand_on_an_existing_cluster() -> None:
    config = parse(on_an_existing_cluster(), PlatformConfig, region="us-west-2")
    made = record(lambda: stack.build(config, "us-west-2"), answers=CALLER, outputs=cloud_outputs)
    assert not made.of_type("eks:index:Cluster")
    assert not made.of_type(":NodePool")
    assert made.of_type("s3/bucket:Bucket")
    (provider,) = made.of_type("providers:kubernetes")
    assert provider.inputs["kubeconfig"].endswith("/their.kubeconfig")
    assert provider.inputs["clusterIdentifier"] == "theirs"
    identities = made.of_type(":PodIdentityAssociation")
    assert {it.inputs["clusterName"] for it in identities} == {"their-cluster"}
    assert {it.inputs["serviceAccount"] for it in identities} >= {"milvus", "langfuse"}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"karpenter": {"replicas": 1}}, "karpenter: got a value with cluster.existing"),
        (
            {"loadBalancerController": {"replicas": 1}},
            "loadBalancerController: got a value without cluster.eks",
        ),
        ({"encryption": None}, "encryption: got null; objectStorage, imageRegistry, backup"),
    ],
)
def test_what_an_existing_cluster_cant_use_is_refused(change: dict[str, Any], line: str) -> None:
    (found,) = mistakes(on_an_existing_cluster() | change)
    assert found.startswith(line)


def test_identities_on_an_existing_cluster_need_its_eks_name() -> None:
    data = on_an_existing_cluster()
    del data["cluster"]["existing"]["eksName"]
    (line,) = mistakes(data)
    assert line.startswith("cluster.existing.eksName: missing; encryption, objectStorage")


def test_an_existing_vpc_and_existing_keys_carry_a_whole_platform() -> None:
    made = built(BROUGHT)
    assert not [it for it in made.resources if it.type in {"aws:ec2/vpc:Vpc", "aws:kms/key:Key"}]
    (cluster,) = made.of_type("eks:index:Cluster")
    assert cluster.inputs["vpcId"] == EXISTING_NETWORK["vpcId"]
    assert cluster.inputs["encryptionConfigKeyArn"] == EXISTING_KEY
    (group,) = made.of_type(":NodeGroup")
    assert group.inputs["subnetIds"] == [*EXISTING_NETWORK["privateSubnets"].values()]


def test_with_cilium_no_pod_enters_a_node_before_its_agent() -> None:
    made = built(BROUGHT)
    assert not {it.name for it in made.of_type(":Addon")} & {"vpc-cni", "kube-proxy"}
    assert "cilium" in {it.name for it in made.of_type(":Release")}
    for pool in made.of_type("/v1:NodePool"):
        taints = pool.inputs["spec"]["template"]["spec"]["startupTaints"]
        assert {it["key"] for it in taints} == {"node.cilium.io/agent-not-ready"}
