"""Which admission policies a stack makes, and where they hold."""

from typing import Any

import pytest

from components.admission_policies import (
    ADMISSION_LABEL,
    DEFAULT_POLICIES,
    NAME_PREFIX,
    AdmissionPoliciesConfig,
    AdmissionPolicyConfig,
    admission_manifests,
    rules,
)
from components.traffic import TENANT_LABEL
from tests.harness.manifests import manifests
from tests.infra.platforms import BROUGHT, IMAGE_MIRROR

pytestmark = pytest.mark.unit

REGISTRY_POLICY = f"{NAME_PREFIX}image-registry"


def objects(stack: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (it["kind"].removeprefix("ValidatingAdmissionPolicy"), it["metadata"]["name"]): it
        for it in manifests(stack)
        if it["kind"].startswith("ValidatingAdmissionPolicy")
    }


def test_every_policy_of_prod_denies_and_is_bound() -> None:
    made = objects("prod")
    names = {name for _, name in made}
    assert names == {NAME_PREFIX + name for name in DEFAULT_POLICIES} - {REGISTRY_POLICY}
    for name in names:
        assert made["", name]["spec"]["failurePolicy"] == "Fail"
        bound = made["Binding", name]["spec"]
        assert bound["policyName"] == name
        assert bound["validationActions"] == ["Deny"]


def test_a_mirror_brings_the_policy_of_registries_with_the_stacks_own_ecr() -> None:
    (variable,) = objects(BROUGHT)["", REGISTRY_POLICY]["spec"]["variables"]
    assert f'"{IMAGE_MIRROR}/"' in variable["expression"]
    assert '"111122223333.dkr.ecr.us-west-2.amazonaws.com/"' in variable["expression"]
    assert "to.be.known" not in str(objects(BROUGHT))


def test_the_local_platform_takes_its_own_processes_alone() -> None:
    (variable,) = objects("local")["", REGISTRY_POLICY]["spec"]["variables"]
    assert '["process.local/"].exists' in variable["expression"]


def test_policies_hold_where_the_label_is_and_tenants_ones_at_tenants() -> None:
    config = AdmissionPoliciesConfig(
        policies={"image-exact": AdmissionPolicyConfig(exempt_namespaces=("ai-data",))}
    )
    for it in admission_manifests(config):
        if not it["kind"].endswith("Binding"):
            continue
        name = it["metadata"]["name"]
        first, *rest = it["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"]
        label = TENANT_LABEL if name.startswith(f"{NAME_PREFIX}tenant-") else ADMISSION_LABEL
        assert first == {"key": label, "operator": "Exists"}
        if name == f"{NAME_PREFIX}image-exact":
            assert [each["values"] for each in rest] == [["ai-data"]]
    tenants = [it for it in manifests("tenant-a") if it["kind"] == "Namespace"]
    labelled = [it for it in manifests("prod") if it["kind"] == "Namespace"]
    labelled = [it for it in labelled if ADMISSION_LABEL in it["metadata"]["labels"]]
    assert {ADMISSION_LABEL, TENANT_LABEL} <= tenants[0]["metadata"]["labels"].keys()
    assert sorted(it["metadata"]["name"] for it in labelled) == [
        "ai-agents",
        "ai-data",
        "ai-gateway",
        "ai-inference",
        "observability",
    ]


@pytest.mark.parametrize("name", DEFAULT_POLICIES)
def test_no_policy_stands_in_the_way_of_a_deletion(name: Any) -> None:
    rule = rules(AdmissionPoliciesConfig(), ["harbor.corp"])[name]
    assert set(rule.operations) <= {"CREATE", "UPDATE"}
    assert "UPDATE" not in rule.operations or "oldObject == null ||" in rule.condition


def test_what_a_stack_file_names_can_not_become_part_of_the_expression() -> None:
    config = AdmissionPoliciesConfig(floating_tags=('"] + ["',))
    (variable,) = admission_manifests(config)[0]["spec"]["variables"]
    assert '":\\"] + [\\""' in variable["expression"]
