"""One deployed stack becomes a foundation and a platform on it, and nothing is made anew."""

from pathlib import Path

import pytest

from tests.engine.deployment import Deployment, short
from tests.engine.golden_urns import golden
from tests.infra.platforms import FOUNDATION, ON_FOUNDATION, data_of

pytestmark = [pytest.mark.engine, pytest.mark.slow]

APPLY = ("--yes", "--skip-preview")
PROVIDER = "::pulumi:providers:"


def address(urn: str) -> str:
    """A URN without its stack."""
    return urn.partition("::")[2]


def steps(stack: Deployment) -> list[str]:
    return sorted(f"{what} {short(urn)}" for urn, what in stack.changed("preview").items())


@pytest.mark.timeout(600)
def test_one_stack_becomes_two_without_a_replacement(cluster: Path, tmp_path: Path) -> None:
    whole = Deployment("prod", tmp_path / "state", cluster)
    whole.load_crds()
    whole.run("up", *APPLY)
    platform = Deployment(ON_FOUNDATION, tmp_path / "state", cluster)
    data = data_of(ON_FOUNDATION)
    data["cluster"]["stack"]["name"] = "organization/agentic-platform/prod"
    platform.configure(data)

    theirs = {address(urn) for urn in golden(ON_FOUNDATION) if PROVIDER not in urn}
    moving = [urn for urn in whole.urns() if address(urn) in theirs]
    assert len(moving) == len(theirs)
    ends = ("--source", whole.stack, "--dest", platform.stack)
    moved = whole.engine.run("state", "move", "--yes", *ends, *moving)
    assert moved.ok, moved.errors

    whole.configure(data_of(FOUNDATION))
    assert steps(whole) == ["delete docker-build docker-build"]
    whole.run("up", *APPLY)
    assert steps(platform) == ["read StackReference organization/agentic-platform/prod"]
    platform.run("up", *APPLY)
    assert {*golden(FOUNDATION)} <= {
        urn.replace(":prod::", f":{FOUNDATION}::") for urn in whole.urns()
    }
    assert {*golden(ON_FOUNDATION)} <= {*platform.urns()}
    for each in (whole, platform):
        each.client.close()
