"""A tenant as the reference architecture has it."""

from typing import Any

import pytest
from pydantic import ValidationError

from components.access_control import AccessControlConfig
from components.tenant import Tenant, TenantConfig, node_placement, tenant_manifests
from tests.harness.recording import record

pytestmark = pytest.mark.unit

ACCESS = AccessControlConfig(operator_groups=("tenant-a-operators",), viewer_groups=())
CONFIG = TenantConfig(access=ACCESS)


def named(kind: str, name: str) -> dict[str, Any]:
    return next(
        manifest
        for manifest in tenant_manifests("tenant-a", CONFIG)
        if (manifest["kind"], manifest["metadata"]["name"]) == (kind, name)
    )


def test_the_quota_is_the_architectures() -> None:
    assert named("ResourceQuota", "tenant-a-quota")["spec"]["hard"] == {
        "requests.cpu": "20",
        "requests.memory": "40Gi",
        "limits.cpu": "40",
        "limits.memory": "80Gi",
        "requests.nvidia.com/gpu": "4",
        "pods": "50",
        "services": "10",
    }


def test_the_isolation_is_the_architectures_and_names_resolve() -> None:
    def peer(name: str) -> dict[str, Any]:
        return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}

    spec = named("NetworkPolicy", "tenant-isolation")["spec"]
    own: dict[str, Any] = {"podSelector": {}}
    assert spec["podSelector"] == {}
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["ingress"] == [{"from": [own, peer("ai-gateway")]}]
    assert spec["egress"][0] == {"to": [own, peer("ai-inference"), peer("ai-data")]}
    assert spec["egress"][1]["to"] == [peer("kube-system")]


def test_a_group_holds_the_role_only_in_its_own_namespace() -> None:
    binding = named("RoleBinding", "agent-operator")
    assert binding["metadata"]["namespace"] == "tenant-a"
    assert [each["name"] for each in binding["subjects"]] == ["tenant-a-operators"]
    kinds = [each["kind"] for each in tenant_manifests("tenant-a", CONFIG)]
    assert "ClusterRoleBinding" not in kinds
    assert kinds.count("RoleBinding") == 1


def test_nobody_holds_a_role_that_was_not_given() -> None:
    kinds = [each["kind"] for each in tenant_manifests("tenant-a", TenantConfig())]
    assert "RoleBinding" not in kinds


def test_nodes_of_its_own_are_asked_for_by_selector_and_toleration() -> None:
    config = TenantConfig(access=ACCESS, isolation="node")
    placement = node_placement("tenant-a", config)
    assert placement["nodeSelector"] == {"agentic.dev/tenant": "tenant-a"}
    assert placement["tolerations"][0]["value"] == "tenant-a"
    assert node_placement("tenant-a", CONFIG) == {}


def test_a_cluster_of_its_own_is_refused_with_the_way_out() -> None:
    with pytest.raises(ValidationError, match=r"a stack of its own .*'namespace' or 'node'"):
        TenantConfig.model_validate({"access": {}, "isolation": "cluster"})


def test_the_namespace_waits_for_nothing_in_a_preview() -> None:
    recording = record(
        lambda: {"namespace": Tenant("tenant-a", config=CONFIG).namespace}, preview=True
    )
    assert recording.values == {"namespace": "tenant-a"}
    labels = recording.of_type("core/v1:Namespace")[0].inputs["metadata"]["labels"]
    assert labels["agentic.dev/tenant"] == "tenant-a"
