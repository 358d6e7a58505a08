"""What each stack registers has the names and parents that it had: a rename needs an alias."""

import difflib
import json

import pytest

from infra.contract import OUTPUT
from tests.engine.golden_urns import golden, registered
from tests.infra.platforms import SPLIT, STACKS, built

pytestmark = pytest.mark.unit
IN_BOTH = {"pulumi:providers:aws::aws", "pulumi:providers:kubernetes::kubernetes"}
"""Each of the two stacks reaches account and cluster by itself."""
REGENERATE = "python -m tests.engine.golden_urns --write"


@pytest.mark.parametrize("name", [*STACKS, *SPLIT])
def test_every_resource_keeps_its_urn(name: str) -> None:
    kept, found = golden(name), registered(name)
    changes = [
        line
        for line in difflib.unified_diff(kept, found, "kept", "found", lineterm="", n=0)
        if not line.startswith("@@")
    ]
    assert kept == found, (
        f"a resource under another URN is replaced: give it an alias; then run `{REGENERATE}`\n"
        + "\n".join(changes)
    )


@pytest.mark.parametrize("name", [*STACKS, *SPLIT])
def test_no_two_resources_share_a_urn(name: str) -> None:
    urns = golden(name)
    assert len(urns) == len(set(urns)) > 0


def test_prod_has_the_two_hundred_and_fifty_resources_that_the_figures_speak_of() -> None:
    assert len(golden("prod")) >= 250


def paths(name: str) -> set[str]:
    """Type chain and name of everything in the stack."""
    return {urn.split("::", 2)[2] for urn in golden(name)}


def contents(*names: str) -> dict[tuple[str, str], str]:
    """The inputs of each resource, by type and name."""
    return {
        (it.type, it.name): json.dumps(it.inputs, sort_keys=True, default=repr)
        for name in names
        for it in built(name).resources
        if not it.type.startswith("pulumi:")
    }


def test_two_stacks_make_what_one_makes() -> None:
    ground, platform = (paths(name) for name in SPLIT)
    assert ground & platform == IN_BOTH
    assert ground | platform == paths("prod")


def test_two_stacks_give_every_resource_the_inputs_that_one_gives() -> None:
    assert contents(*SPLIT) == contents("prod")


@pytest.mark.parametrize("name", SPLIT)
def test_every_stack_with_that_cluster_exports_the_same_contract(name: str) -> None:
    assert built(name).values[OUTPUT] == built("prod").values[OUTPUT]


def test_a_cluster_is_the_same_to_one_stack_and_to_two() -> None:
    """Objects that move from the whole stack to the platform's are not replaced."""
    identities = {
        it.inputs["clusterIdentifier"]
        for name in ("prod", *SPLIT)
        for it in built(name).of_type("providers:kubernetes")
    }
    assert identities == {"ai-cluster"}
