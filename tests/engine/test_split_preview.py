"""The hermetic preview of a stack that reads another one, which was never deployed."""

from pathlib import Path

import pytest

from local.paths import Cache
from local.preview import preview
from local.report import Progress, UserError
from tests.harness.engine import pulumi
from tests.infra.platforms import FOUNDATION, ON_FOUNDATION
from tests.infra.stack_data import FILES

pytestmark = [pytest.mark.engine, pytest.mark.slow]


def hermetic(file: Path) -> tuple[bool, list[str], int]:
    """Whether it went well, what was said, and how many resources there would be."""
    tools = {"pulumi": pulumi()}
    made = preview(ON_FOUNDATION, file, tools, Cache.default(), Progress(as_json=True))
    return made.ok, [*made.said(), *made.result.errors], made.resources


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Both examples, owned by an organization that a file backend does not know."""
    for name in (FOUNDATION, ON_FOUNDATION):
        text = FILES[name].read_text().replace("name: organization/", "name: acme/")
        (tmp_path / f"Pulumi.{name}.yaml").write_text(text)
    return tmp_path


@pytest.mark.timeout(600)
def test_the_other_stacks_outputs_are_made_up_and_said_to_be(files: Path) -> None:
    ok, said, count = hermetic(files / f"Pulumi.{ON_FOUNDATION}.yaml")
    assert ok, said
    (line,) = (it for it in said if "PLACEHOLDERS" in it)
    assert line.startswith(f"outputs of stack {FOUNDATION} are PLACEHOLDERS, made up by a preview")
    assert f"{count} resources, of at most 350 for a platform on a foundation" in said


def test_what_is_wrong_with_the_other_stack_is_told_as_its_own(files: Path) -> None:
    file = files / f"Pulumi.{FOUNDATION}.yaml"
    file.write_text(file.read_text().replace("keepImages: 100", "keepImages: none"))
    with pytest.raises(UserError) as caught:
        hermetic(files / f"Pulumi.{ON_FOUNDATION}.yaml")
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"stack '{FOUNDATION}': 1 mistake in agentic-platform:platform")
    assert second.startswith("imageRegistry.keepImages: got 'none'; allowed: a valid integer")
