"""The support window of the EKS versions that a stack may name."""

from datetime import date, timedelta
from typing import get_args

import pytest

from components.cluster import EksConfig
from components.eks_support import SUPPORT_WINDOWS, WARNING_DAYS, SupportPolicy, support_finding
from components.versions import KUBERNETES_VERSIONS

pytestmark = pytest.mark.unit

STANDARD_ENDS = date(2026, 12, 2)
EXTENDED_ENDS = date(2027, 12, 2)


def test_every_version_that_is_accepted_has_its_window() -> None:
    accepted = get_args(EksConfig.model_fields["version"].annotation)
    assert accepted == KUBERNETES_VERSIONS == tuple(SUPPORT_WINDOWS)
    assert get_args(SupportPolicy) == get_args(EksConfig.model_fields["support"].annotation)


def test_extended_support_is_a_year_longer_and_a_newer_version_lasts_longer() -> None:
    for window in SUPPORT_WINDOWS.values():
        standard = window.standard_ends
        assert window.extended_ends == standard.replace(year=standard.year + 1)
    assert sorted(SUPPORT_WINDOWS.values()) == [*SUPPORT_WINDOWS.values()]


def test_nothing_is_said_while_more_than_a_quarter_is_left() -> None:
    today = STANDARD_ENDS - timedelta(days=WARNING_DAYS)
    for policy in get_args(SupportPolicy):
        assert support_finding("1.34", policy, today=today) is None


@pytest.mark.parametrize(
    ("policy", "today", "parts"),
    [
        (
            "STANDARD",
            date(2026, 9, 4),
            ("standard support ends on 2026-12-02, in 89 days", "by itself", "move to '1.35'"),
        ),
        ("STANDARD", date(2026, 12, 1), ("in 1 day;", "support: EXTENDED (until 2027-12-02")),
        ("STANDARD", STANDARD_ENDS, ("standard support ended on 2026-12-02", "by itself")),
        ("EXTENDED", date(2026, 12, 1), ("it stays", "six times as much")),
        ("EXTENDED", date(2027, 9, 4), ("extended support ends on 2027-12-02", "by itself")),
        ("STANDARD", EXTENDED_ENDS, ("extended support ended on 2027-12-02", "no nodes")),
        ("EXTENDED", EXTENDED_ENDS, ("extended support ended on 2027-12-02", "no nodes")),
    ],
)
def test_one_line_says_when_support_ends_and_what_aws_does(
    policy: SupportPolicy, today: date, parts: tuple[str, ...]
) -> None:
    line = support_finding("1.34", policy, today=today)
    assert line is not None
    assert "\n" not in line
    assert line.startswith("cluster.eks.version: got '1.34', ")
    assert [part for part in parts if part not in line] == []


def test_extended_support_that_was_asked_for_is_no_finding_by_itself() -> None:
    assert support_finding("1.34", "EXTENDED", today=STANDARD_ENDS) is None


def test_the_way_out_names_no_version_without_standard_support() -> None:
    line = support_finding("1.34", "STANDARD", today=date(2027, 3, 27))
    assert line is not None
    assert "'1.35'" not in line
    assert "a later version" in line
