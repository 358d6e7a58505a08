"""What each stack registers has the names and parents that it had: a rename needs an alias."""

import difflib

import pytest

from tests.engine.golden_urns import golden, registered
from tests.infra.platforms import SPLIT, STACKS

pytestmark = pytest.mark.unit
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
