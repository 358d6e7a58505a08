"""Karpenter pools as the API server takes them, and as it refuses them."""

from typing import Any

import pytest
from pydantic import ValidationError

from components.gpu_node_pool import GpuNodePoolConfig, NodePool
from components.node_class import node_class_spec
from components.node_pool import NodePoolConfig, node_pool_spec
from components.versions import NODE_AMI
from infra.config import PlatformConfig, parse
from local.kube import ApiError
from tests.harness.api_server import ApiServer
from tests.harness.recording import record
from tests.infra.stack_data import platform_data

KARPENTER = ("nodepools.karpenter.sh", "ec2nodeclasses.karpenter.k8s.aws")


def prod() -> PlatformConfig:
    return parse(platform_data("prod"), PlatformConfig, region="us-west-2")


def node_pool(spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": "gpu-inference-pool"},
        "spec": spec,
    }


def node_class(spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "karpenter.k8s.aws/v1",
        "kind": "EC2NodeClass",
        "metadata": {"name": "gpu-nodeclass"},
        "spec": spec,
    }


@pytest.fixture
def gpu_pool() -> GpuNodePoolConfig:
    return prod().gpu_pools["gpu-inference-pool"]


@pytest.mark.unit
@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_gpu_pool_is_the_architectures(stack: str) -> None:
    config = parse(platform_data(stack), PlatformConfig, region="us-west-2")
    pool = config.gpu_pools["gpu-inference-pool"]
    spec = node_pool_spec(pool)
    wanted = {it["key"]: it["values"] for it in spec["template"]["spec"]["requirements"]}
    assert wanted == {
        "node.kubernetes.io/instance-type": ["p4d.24xlarge", "p5.48xlarge", "g5.48xlarge"],
        "karpenter.sh/capacity-type": ["on-demand", "spot"],
        "kubernetes.io/arch": ["amd64"],
    }
    assert spec["template"]["spec"]["nodeClassRef"]["name"] == "gpu-nodeclass"
    assert spec["limits"] == {"nvidia.com/gpu": "64"}
    assert spec["disruption"] == {
        "consolidationPolicy": "WhenEmptyOrUnderutilized",
        "consolidateAfter": "30s",
        "budgets": [{"nodes": "20%"}],
    }


@pytest.mark.unit
def test_the_node_class_is_the_architectures_with_an_encrypted_disk(
    gpu_pool: GpuNodePoolConfig,
) -> None:
    spec = node_class_spec(gpu_pool.node_class, cluster="ai-cluster", node_role="nodes")
    assert spec["subnetSelectorTerms"] == [{"tags": {"karpenter.sh/discovery": "ai-cluster"}}]
    assert spec["securityGroupSelectorTerms"] == spec["subnetSelectorTerms"]
    assert spec["blockDeviceMappings"] == [
        {
            "deviceName": "/dev/xvda",
            "ebs": {
                "volumeSize": "500Gi",
                "volumeType": "gp3",
                "iops": 10000,
                "throughput": 500,
                "encrypted": True,
                "deleteOnTermination": True,
            },
        }
    ]
    assert spec["tags"] == {"Environment": "production", "Workload": "ai-inference"}


@pytest.mark.unit
def test_prod_pins_the_node_image_and_dev_follows_aws() -> None:
    dev = parse(platform_data("dev"), PlatformConfig, region="us-west-2")
    aliases = {
        name: node_class_spec(pool.node_class, cluster="c", node_role="r")["amiSelectorTerms"]
        for name, pool in {
            "prod": prod().gpu_pools["gpu-inference-pool"],
            "dev": dev.gpu_pools["gpu-inference-pool"],
        }.items()
    }
    assert aliases == {"prod": [{"alias": NODE_AMI}], "dev": [{"alias": "al2023@latest"}]}


@pytest.mark.unit
def test_the_pool_waits_for_its_node_class_and_keeps_its_name(gpu_pool: GpuNodePoolConfig) -> None:
    def build() -> dict[str, Any]:
        made = NodePool(
            "gpu-inference-pool", config=gpu_pool, cluster="ai-cluster", node_role="nodes"
        )
        return {"name": made.pool_name}

    made = record(build)
    assert made.values == {"name": "gpu-inference-pool"}
    kinds = [it.type.rsplit(":", 1)[1] for it in made.resources]
    assert kinds == ["NodePool", "EC2NodeClass", "NodePool"]


@pytest.mark.unit
@pytest.mark.parametrize("alias", ["al2023", "al2023@v1", "bottlerocket@latest"])
def test_an_unknown_node_image_is_refused(alias: str) -> None:
    data = platform_data("prod")["gpuPools"]["gpu-inference-pool"]
    data["nodeClass"]["amiAlias"] = alias
    with pytest.raises(ValidationError, match="amiAlias"):
        GpuNodePoolConfig.model_validate(data)


@pytest.mark.unit
def test_a_pool_without_a_limit_is_refused() -> None:
    data = platform_data("prod")["cpuPools"]["general-pool"] | {"limits": {}}
    with pytest.raises(ValidationError, match="limits"):
        NodePoolConfig.model_validate(data)


@pytest.mark.api_server
def test_the_api_server_takes_every_pool_and_node_class_of_prod(api_server: ApiServer) -> None:
    api_server.load_crds(*KARPENTER)
    config = prod()
    for pool in (*config.gpu_pools.values(), *config.cpu_pools.values()):
        api_server.dry_run(node_pool(node_pool_spec(pool)))
        spec = node_class_spec(pool.node_class, cluster="ai-cluster", node_role="nodes")
        api_server.dry_run(node_class(spec))


REFUSED = {
    "an unknown field": ({"disruption": {"consolidateUntil": "30s"}}, "consolidateUntil"),
    "a duration in words": ({"disruption": {"consolidateAfter": "30 seconds"}}, "consolidateAfter"),
    "a budget above 100 %": ({"disruption": {"budgets": [{"nodes": "120%"}]}}, "budgets"),
    "a schedule without duration": (
        {"disruption": {"budgets": [{"nodes": "0", "schedule": "0 9 * * *"}]}},
        "'schedule' must be set with 'duration'",
    ),
    "a duration without schedule": (
        {"disruption": {"budgets": [{"nodes": "0", "duration": "8h"}]}},
        "'schedule' must be set with 'duration'",
    ),
    "a weight above 100": ({"weight": 101}, "weight"),
    "a weight on a static pool": (
        {"replicas": 2, "weight": 10, "limits": {"nodes": "2"}},
        "'weight' is not supported",
    ),
    "a GPU limit on a static pool": ({"replicas": 2}, "only 'limits.nodes' is supported"),
    "an unknown reason": (
        {"disruption": {"budgets": [{"nodes": "0", "reasons": ["Boredom"]}]}},
        "Boredom",
    ),
}


@pytest.mark.api_server
@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED)
def test_the_api_server_refuses(
    api_server: ApiServer, gpu_pool: GpuNodePoolConfig, change: dict[str, Any], message: str
) -> None:
    api_server.load_crds(*KARPENTER)
    spec = node_pool_spec(gpu_pool)
    disruption = spec["disruption"] | change.get("disruption", {})
    with pytest.raises(ApiError, match=message):
        api_server.dry_run(node_pool(spec | change | {"disruption": disruption}))


CLASS_REFUSED = {
    "two identities for one node": ({"instanceProfile": "p"}, "instanceProfile"),
    "a reservation by id and tags": (
        {"capacityReservationSelectorTerms": [{"id": "cr-1", "tags": {"a": "b"}}]},
        "'id' is mutually exclusive",
    ),
    "two adapters on one card": (
        {
            "networkInterfaces": [
                {"networkCardIndex": 0, "deviceIndex": 0, "interfaceType": "interface"},
                {"networkCardIndex": 0, "deviceIndex": 1, "interfaceType": "efa-only"},
                {"networkCardIndex": 0, "deviceIndex": 2, "interfaceType": "efa-only"},
            ]
        },
        "at most one efa device per network card",
    ),
}


@pytest.mark.api_server
@pytest.mark.parametrize(("change", "message"), CLASS_REFUSED.values(), ids=CLASS_REFUSED)
def test_the_api_server_refuses_in_a_node_class(
    api_server: ApiServer, gpu_pool: GpuNodePoolConfig, change: dict[str, Any], message: str
) -> None:
    api_server.load_crds(*KARPENTER)
    spec = node_class_spec(gpu_pool.node_class, cluster="ai-cluster", node_role="nodes")
    with pytest.raises(ApiError, match=message):
        api_server.dry_run(node_class(spec | change))
