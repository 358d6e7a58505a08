"""Stacks that read another one's outputs, and what a preview does about it; sizes of stacks."""

from pathlib import Path

import pytest

from local.preview.budget import FOUNDATION, PLATFORM, TENANT, WHOLE, budget_of
from local.preview.references import bases, of_this_state, referenced
from local.report import UserError
from tests.engine.golden_urns import golden
from tests.infra.platforms import SPLIT, STACKS, stack_name
from tests.infra.stack_data import FILES

pytestmark = pytest.mark.unit

HEAD = "config:\n  agentic-platform:platform:\n"
ON_FOUNDATION = HEAD + "    cluster: {stack: {name: acme/agentic-platform/ground}}\n"
OF_PLATFORM = HEAD + "    platform: {stack: acme/agentic-platform/top}\n    tenant: {name: a}\n"
ALONE = HEAD + "    cluster: {eks: {name: c}}\n"


def test_a_file_says_which_stack_it_reads() -> None:
    assert referenced(ON_FOUNDATION) == "acme/agentic-platform/ground"
    assert referenced(OF_PLATFORM) == "acme/agentic-platform/top"
    assert referenced(ALONE) is None


@pytest.mark.parametrize("text", ["", "config: [", "config: {}", HEAD, "- 1"])
def test_a_file_that_no_program_could_read_reads_nothing(text: str) -> None:
    assert referenced(text) is None
    assert budget_of(text) == WHOLE


def test_every_owner_is_the_one_that_a_file_backend_knows() -> None:
    assert referenced(of_this_state(ON_FOUNDATION)) == "organization/agentic-platform/ground"
    assert of_this_state(ALONE) == ALONE


def test_the_lowest_stack_is_previewed_first(tmp_path: Path) -> None:
    files = {"tenant": OF_PLATFORM, "top": ON_FOUNDATION, "ground": ALONE}
    for name, text in files.items():
        (tmp_path / f"Pulumi.{name}.yaml").write_text(text)
    found = list(bases(tmp_path / "Pulumi.tenant.yaml"))
    assert found == [(name, tmp_path / f"Pulumi.{name}.yaml") for name in ("ground", "top")]


def test_a_stack_whose_file_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.top.yaml").write_text(ON_FOUNDATION)
    with pytest.raises(UserError, match=r"stack 'ground'.*put Pulumi\.ground\.yaml beside it"):
        list(bases(tmp_path / "Pulumi.top.yaml"))


def test_a_stack_that_stands_on_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.ground.yaml").write_text(ON_FOUNDATION)
    with pytest.raises(UserError, match="'ground' stands on itself"):
        list(bases(tmp_path / "Pulumi.ground.yaml"))


@pytest.mark.parametrize("name", [*STACKS, *SPLIT])
def test_every_stack_stays_below_its_budget(name: str) -> None:
    budget = budget_of(FILES[stack_name(name)].read_text())
    count = len(golden(name))
    assert 0 < count <= budget.most, budget.line(count)


def test_each_kind_of_stack_has_a_budget_of_its_own() -> None:
    kinds = {
        name: budget_of(FILES[name].read_text()) for name in ("prod", *SPLIT, "tenant-a", "local")
    }
    assert [*kinds.values()] == [WHOLE, FOUNDATION, PLATFORM, TENANT, WHOLE]


def test_a_stack_over_its_budget_is_told_the_way_out() -> None:
    assert WHOLE.line(WHOLE.most) == f"{WHOLE.most} resources, of at most 500 for a whole platform"
    assert WHOLE.line(WHOLE.most + 1).endswith(
        "OVER; make it a foundation and a platform (docs/stacks.md)"
    )
