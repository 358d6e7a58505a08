"""The whole program against the SDK's mock monitor: what each stack registers."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from infra import stack
from infra.config import PlatformConfig, TenantStackConfig, parse
from local.secrets import ensure
from tests.harness.recording import Recording, Secret, record
from tests.infra.platforms import AUTO_MODE, built
from tests.infra.stack_data import platform_data

pytestmark = pytest.mark.unit

EVERYWHERE = {
    "AgentService",
    "AccessControl",
    "Gateway",
    "ModelServer",
    "Namespace",
    "SecretStore",
    "SessionStore",
    "ToolRegistry",
    "Tracing",
    "VectorStore",
    "Metrics",
}
ON_AWS = EVERYWHERE | {
    "AgentOperator",
    "AgentScaler",
    "AutoscalingOperator",
    "CertManager",
    "Cluster",
    "ClusterAddons",
    "CustomResourceDefinitions",
    "Encryption",
    "GpuSupport",
    "ImageRegistry",
    "InferenceService",
    "Backup",
    "LoadBalancerController",
    "Network",
    "NetworkPolicies",
    "NodePool",
    "ObjectStorage",
    "PodIdentity",
    "SecretOperator",
    "ServiceMesh",
    "PullThroughCaches",
    "StorageClass",
    "ToolServer",
}
WITH_KARPENTER = ON_AWS | {"Karpenter", "SystemNodes"}
IN_AUTO_MODE = (ON_AWS - {"LoadBalancerController"}) | {"AutoModeClusterRole", "AutoModeNodes"}


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recording:
    monkeypatch.setenv("AGENTIC_STATE_DIR", str(tmp_path))
    ensure(tmp_path / "secrets")
    config = parse(platform_data("local"), PlatformConfig, region=None)
    return record(lambda: stack.build(config, None))


def components(made: Recording) -> set[str]:
    return {it.type.rsplit(":", 1)[1] for it in made.resources if it.type.startswith("agentic:")}


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_a_stack_on_aws_makes_every_component_of_the_platform(name: str) -> None:
    assert components(built(name)) >= WITH_KARPENTER


def test_in_auto_mode_nothing_runs_beside_what_aws_runs() -> None:
    made = built(AUTO_MODE)
    assert components(made) >= IN_AUTO_MODE
    assert not components(made) & {"Karpenter", "SystemNodes", "LoadBalancerController"}
    assert {it.name for it in made.of_type(":Addon")} == {"metrics-server"}
    assert {it.name for it in made.of_type(":Release")} & {"karpenter", "nvidia-device-plugin"} == (
        set()
    )
    identities = made.of_type(":PodIdentityAssociation")
    assert "kube-system" not in {it.inputs["namespace"] for it in identities}


def test_auto_modes_pools_refer_to_its_own_node_classes() -> None:
    made = built(AUTO_MODE)
    classes = {it.inputs["metadata"]["name"] for it in made.of_type("/v1:NodeClass")}
    assert classes == {"gpu-nodeclass", "general-nodeclass"}
    assert not made.of_type(":EC2NodeClass")
    for pool in made.of_type("/v1:NodePool"):
        reference = pool.inputs["spec"]["template"]["spec"]["nodeClassRef"]
        assert (reference["group"], reference["kind"]) == ("eks.amazonaws.com", "NodeClass")
        assert reference["name"] in classes


def test_the_local_stack_makes_the_same_platform_without_a_cloud(local: Recording) -> None:
    assert components(local) >= EVERYWHERE
    assert not [it.type for it in local.resources if it.type.startswith(("aws:", "eks:"))]
    assert not local.of_type(":Release"), "nothing there runs a chart"


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_no_name_is_given_to_two_resources_of_one_type(name: str) -> None:
    names = Counter((it.type, it.name) for it in built(name).resources)
    same = [each for each, count in names.items() if count > 1]
    # Different parents make different URNs; only children of different components may share one.
    assert {kind for kind, _ in same} <= {"kubernetes:core/v1:ServiceAccount"}, same


def test_prod_protects_its_data_and_hides_its_api_server() -> None:
    made = built("prod")
    (cluster,) = made.of_type("eks:index:Cluster")
    assert cluster.inputs["endpointPublicAccess"] is False
    assert cluster.inputs["deletionProtection"] is True
    assert {it.inputs["forceDestroy"] for it in made.of_type("bucket:Bucket")} == {False}
    mtls = {it.inputs["metadata"]["name"]: it for it in made.of_type(":PeerAuthentication")}
    assert mtls["default"].inputs["spec"] == {"mtls": {"mode": "STRICT"}}
    assert set(mtls) == {"default", "gateway-clients", "agent-metrics"}


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_models_fit_their_quota_while_the_largest_is_rolled_out(name: str) -> None:
    def amounts(it: Any) -> dict[str, float]:
        (container,) = it.inputs["spec"]["template"]["spec"]["containers"]
        return {
            f"{kind}.{resource}": units(quantity)
            for kind, listed in container["resources"].items()
            for resource, quantity in listed.items()
        }

    def units(quantity: str) -> float:
        gib = {"Gi": 1, "Ti": 1024}
        return float(quantity[:-2]) * gib[quantity[-2:]] if quantity[-1] == "i" else float(quantity)

    made = built(name)
    inside = [
        it
        for it in made.resources
        if it.inputs.get("metadata", {}).get("namespace") == "ai-inference"
    ]
    servers = [it for it in inside if it.type.endswith(":Deployment")]
    (quota,) = [it for it in inside if it.type.endswith(":ResourceQuota")]
    assert servers
    for resource, most in quota.inputs["spec"]["hard"].items():
        used = [amounts(it).get(resource, 0) * it.inputs["spec"]["replicas"] for it in servers]
        surge = max(amounts(it).get(resource, 0) for it in servers)
        assert sum(used) + surge <= units(most), (resource, used, surge)


def test_every_object_of_the_cluster_goes_to_the_cluster_by_its_own_provider() -> None:
    (provider,) = built("prod").of_type("providers:kubernetes")
    assert provider.inputs["clusterIdentifier"] == "ai-cluster"
    assert "eks" in provider.inputs["kubeconfig"]
    assert "get-token" in provider.inputs["kubeconfig"]


def test_each_workload_that_calls_aws_has_an_identity_of_its_own() -> None:
    made = built("prod").of_type(":PodIdentityAssociation")
    who = {(it.inputs["namespace"], it.inputs["serviceAccount"]) for it in made}
    assert who == {
        ("kube-system", "aws-load-balancer-controller"),
        ("kube-system", "aws-node"),
        ("kube-system", "ebs-csi-controller-sa"),
        ("kube-system", "karpenter"),
        ("external-secrets", "external-secrets"),
        ("ai-data", "milvus"),
        ("observability", "langfuse"),
    }
    roles = [it.inputs["roleArn"] for it in made]
    assert len(roles) == len(set(roles))


def test_no_chart_is_given_a_secret_in_its_values() -> None:
    def secrets(value: Any) -> bool:
        if isinstance(value, dict):
            return any(secrets(each) for each in value.values())
        if isinstance(value, list):
            return any(secrets(each) for each in value)
        return isinstance(value, Secret)

    assert [it.name for it in built("prod").of_type(":Release") if secrets(it.inputs)] == []


def test_clients_of_the_gateway_find_the_tools_of_the_cluster() -> None:
    (route,) = [
        it
        for it in built("prod").of_type(":HTTPRoute")
        if it.inputs["metadata"]["name"] == "mcp-routing"
    ]
    (rule,) = route.inputs["spec"]["rules"]
    assert rule["matches"][0]["path"]["value"] == "/mcp/tools"
    (backend,) = rule["backendRefs"]
    assert (backend["name"], backend["namespace"]) == ("tool-registry", "ai-agents")


def test_a_tenants_stack_makes_the_tenant_alone() -> None:
    config = parse(platform_data("tenant-a"), TenantStackConfig, region=None)
    made = record(lambda: stack.build(config, None))
    assert components(made) == {"Tenant"}
    (quota,) = made.of_type(":ResourceQuota")
    assert quota.inputs["metadata"]["name"] == "tenant-a-quota"
    assert quota.inputs["spec"]["hard"] == {
        "requests.cpu": "20",
        "requests.memory": "40Gi",
        "limits.cpu": "40",
        "limits.memory": "80Gi",
        "requests.nvidia.com/gpu": "4",
        "pods": "50",
        "services": "10",
    }
    assert made.values == {"namespace": "tenant-a"}
