"""Tiers and the fixtures that several of them share."""

import os
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.harness.schedule import WholeChains

pytest_plugins = ["tests.harness.api_server"]

# what no machine has by itself: these tests are chosen by naming a server
CHOSEN_BY = {"milvus_server": "MILVUS_URL", "milvus_root": "MILVUS_ROOT_PASSWORD"}
TIERS = ("unit", "api_server", "services", "engine", "e2e")


def _tier(item: pytest.Item) -> int:
    return max(
        (TIERS.index(mark.name) for mark in item.iter_markers() if mark.name in TIERS), default=-1
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Every test belongs to one tier.

    Cheap tiers run first, so that a defect shows early; with several workers the long ones do, so
    that none of them is left at the end for one worker alone.
    """
    missing = {mark for mark, variable in CHOSEN_BY.items() if variable not in os.environ}
    left_out = [it for it in items if missing & {mark.name for mark in it.iter_markers()}]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    untiered = [item.nodeid for item in items if _tier(item) < 0]
    if untiered:
        raise pytest.UsageError("tests without a tier: " + ", ".join(untiered))
    items.sort(key=_tier, reverse="PYTEST_XDIST_WORKER" in os.environ)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "WholeChains":
    """What shares a server stays with one worker."""
    from tests.harness.schedule import WholeChains

    return WholeChains(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a tier that could not run is a failure, not a skip."""
    report = yield
    required = os.environ.get("AGENTIC_REQUIRE_ALL_TIERS")
    if required and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where everything must run: {report.longrepr}"
    return report
