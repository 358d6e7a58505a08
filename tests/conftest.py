"""Tiers and the fixtures that several of them share."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

pytest_plugins = ["tests.harness.api_server", "tests.harness.certificates"]

# what no machine has by itself: these tests are chosen by naming a server
CHOSEN_BY = {"milvus_server": "MILVUS_URL"}
SHARED_SERVERS = ("node_cluster", "api_server")
"""Fixtures that take longer to make than most of the tests that ask for them."""
TIERS = ("unit", "api_server", "services", "engine", "e2e")
NO_STATE = "/nonexistent/agentic-platform-tests"


def pytest_configure() -> None:
    """No test may pass because a platform was started in this checkout before."""
    os.environ["AGENTIC_STATE_DIR"] = NO_STATE


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
    shared: dict[Path, str] = {}
    for item in items:
        if (name := _shared_server(item)) is not None:
            shared[item.path] = name
    for item in items:
        item.add_marker(pytest.mark.xdist_group(shared.get(item.path, item.path.as_posix())))


def _shared_server(item: pytest.Item) -> str | None:
    """The server that a file shares with other files: all of them go to one worker.

    Tests of the engine are long enough to be worth an API server on every worker.
    """
    if _tier(item) == TIERS.index("e2e"):
        return "platform"
    if _tier(item) == TIERS.index("engine"):
        return None
    fixtures = getattr(item, "fixturenames", ())
    return next((name for name in SHARED_SERVERS if name in fixtures), None)


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
