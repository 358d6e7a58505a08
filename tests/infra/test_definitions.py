"""Kinds stay when what installed them goes: tenants and other stacks have objects of them."""

from typing import Any

import pytest

from components.custom_resource_definitions import MANIFEST_FILE
from tests.harness.recording import Recording
from tests.infra.platforms import AUTO_MODE, built

pytestmark = pytest.mark.unit

DEFINES = ("-crd", "-crds", "gateway-api", "prometheus-operator")
KEPT = "helm.sh/resource-policy"


def names(made: Recording, urns: set[str]) -> set[str]:
    kinds = (":Release", MANIFEST_FILE, ":CustomResourceDefinition")
    return {
        urn.rsplit("::", 1)[1]
        for urn in urns
        if urn.split("::")[2].rsplit("$", 1)[-1].endswith(kinds)
    }


@pytest.mark.parametrize("stack", ["prod", AUTO_MODE])
def test_where_data_is_protected_kinds_are(stack: str) -> None:
    made = built(stack)
    protected = names(made, made.protected)
    assert {"kgateway-crds", "kagent-crds", "gateway-api", "prometheus-operator"} <= protected
    everything = names(made, set(made.urns))
    left = {name for name in everything - protected if name.endswith(DEFINES)}
    assert not left
    assert all(name.endswith(DEFINES) or "definition" in name for name in protected)


def test_what_nobody_protects_can_go() -> None:
    assert built("dev").protected == set()


def values_of(release: str) -> Any:
    return next(
        it.inputs["values"] for it in built("dev").of_type(":Release") if it.name == release
    )


def test_helm_leaves_the_kinds_that_a_controller_brought() -> None:
    kept = {KEPT: "keep"}
    assert values_of("keda")["crds"]["additionalAnnotations"] == kept
    assert values_of("secret-operator")["crds"]["annotations"] == kept
    assert values_of("karpenter-crd")["additionalAnnotations"] == kept
    assert values_of("cert-manager")["crds"]["keep"] is True


@pytest.mark.parametrize("stack", ["prod", AUTO_MODE])
def test_what_is_protected_waits_for_little(stack: str) -> None:
    """When the engine refuses to delete it, it walks every path there is, and marks none: with all
    the platform below a protected resource, `pulumi destroy` would answer after hours."""
    made = built(stack)
    paths: dict[str, int] = {}

    def count(urn: str) -> int:
        if urn not in paths:
            paths[urn] = 1 + sum(count(each) for each in made.waits.get(urn, ()))
        return paths[urn]

    assert made.protected
    long = {urn.rsplit("::", 1)[1]: count(urn) for urn in made.protected if count(urn) > 10**5}
    assert long == {}
