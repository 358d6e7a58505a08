"""Namespaces as the reference architecture has them."""

import pytest
from pydantic import ValidationError

from components.namespace import (
    DEFAULT_NAMESPACES,
    Namespace,
    NamespaceConfig,
    namespace_manifests,
)
from components.resource_quota import ResourceQuotaConfig
from tests.harness.recording import record

pytestmark = pytest.mark.unit

ENFORCE = "pod-security.kubernetes.io/enforce"


def test_the_labels_are_the_architectures() -> None:
    seen = {}
    for name, config in DEFAULT_NAMESPACES.items():
        labels = namespace_manifests(name, config)[0]["metadata"]["labels"]
        seen[name] = (labels[ENFORCE], labels.get("istio-injection"))
    assert seen == {
        "ai-gateway": ("restricted", "enabled"),
        "ai-agents": ("baseline", "enabled"),
        "ai-inference": ("privileged", None),
        "ai-data": ("baseline", None),
        "observability": ("baseline", None),
    }


def test_the_quotas_are_the_architectures() -> None:
    quotas = {
        manifest["metadata"]["name"]: manifest["spec"]["hard"]
        for name, config in DEFAULT_NAMESPACES.items()
        for manifest in namespace_manifests(name, config)
        if manifest["kind"] == "ResourceQuota"
    }
    assert quotas == {
        "ai-inference-quota": {
            "requests.cpu": "100",
            "requests.memory": "500Gi",
            "limits.cpu": "200",
            "limits.memory": "1Ti",
            "requests.nvidia.com/gpu": "32",
            "persistentvolumeclaims": "50",
        },
        "ai-agents-quota": {
            "requests.cpu": "50",
            "requests.memory": "100Gi",
            "limits.cpu": "100",
            "limits.memory": "200Gi",
            "pods": "200",
        },
    }


def test_a_quota_never_comes_without_defaults() -> None:
    config = NamespaceConfig(quota=ResourceQuotaConfig(name="q", hard={"limits.cpu": "1"}))
    kinds = [manifest["kind"] for manifest in namespace_manifests("n", config)]
    assert kinds == ["Namespace", "ResourceQuota", "LimitRange"]


def test_the_name_is_known_in_a_preview() -> None:
    config = DEFAULT_NAMESPACES["ai-agents"]
    recording = record(
        lambda: {"name": Namespace("ai-agents", config=config).namespace}, preview=True
    )
    assert recording.values == {"name": "ai-agents"}
    assert {each.type for each in recording.resources} == {
        "agentic:ground:Namespace",
        "kubernetes:core/v1:Namespace",
        "kubernetes:core/v1:ResourceQuota",
        "kubernetes:core/v1:LimitRange",
    }


def test_a_quantity_that_kubernetes_could_not_read_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"limits\.memory"):
        ResourceQuotaConfig(name="q", hard={"limits.memory": "10 GB"})
