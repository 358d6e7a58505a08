"""What a person who runs a stack is told about AWS's support for its cluster."""

from datetime import date

import pulumi
import pytest
import yaml

from infra.config import CHECKOUT, PlatformConfig, TenantStackConfig, kind_of, parse
from infra.support import warn_of_support
from tests.infra.stack_data import platform_data, stack_file

pytestmark = pytest.mark.unit


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lines.append)
    return lines


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_a_stack_near_the_end_of_support_is_warned_and_goes_on(name: str, said: list[str]) -> None:
    stack = parse(platform_data(name), PlatformConfig, region="us-west-2")
    warn_of_support(stack, today=date(2026, 1, 1))
    assert said == []
    warn_of_support(stack, today=date(2030, 1, 1))
    assert len(said) == 1
    assert "cluster.eks.version: got '1.34'" in said[0]


def test_a_foundation_stack_is_warned_too(said: list[str]) -> None:
    file = CHECKOUT / "docs/examples/split/Pulumi.prod-foundation.yaml"
    data = yaml.safe_load(file.read_text("utf-8"))["config"]["agentic-platform:platform"]
    warn_of_support(parse(data, kind_of(data), region="us-west-2"), today=date(2030, 1, 1))
    assert len(said) == 1


def test_a_cluster_that_is_not_the_stacks_own_is_no_matter_of_it(said: list[str]) -> None:
    tenant = parse(
        stack_file("tenant-a")["agentic-platform:platform"], TenantStackConfig, region=None
    )
    local = parse(platform_data("local"), PlatformConfig, region=None)
    for stack in (tenant, local):
        warn_of_support(stack, today=date(2030, 1, 1))
    assert said == []
