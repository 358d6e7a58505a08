import os
import subprocess
import sys
from typing import Any

import pytest

from local.api_transport import ApiError
from local.cli.deployment import can_begin_early
from local.standin.kubernetes.start import STARTER, await_start

pytestmark = pytest.mark.unit


class Starting:
    """An API server that is ready at the given question."""

    def __init__(self, ready_at: int) -> None:
        self.ready_at = ready_at
        self.asked: list[str] = []

    def text(self, path: str) -> str:
        self.asked.append(path)
        if len(self.asked) < self.ready_at:
            raise ApiError(0, "Unreachable", "connection refused")
        return "ok"


def test_the_engine_waits_for_an_api_server_that_is_being_started() -> None:
    server: Any = Starting(ready_at=3)
    await_start(server, {STARTER: str(os.getpid())})
    assert server.asked == ["/readyz"] * 3


def test_nobody_waits_for_a_server_whose_starter_has_ended_or_is_none() -> None:
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    server: Any = Starting(ready_at=1_000_000)
    await_start(server, {STARTER: str(ended.pid)})
    await_start(server, {})
    assert server.asked == []


@pytest.mark.parametrize(("kind", "early"), [("stand-in", True), ("real", False)])
def test_the_real_plugin_is_not_started_before_the_api_server(*, kind: str, early: bool) -> None:
    class Driver:
        kinds = {"kubernetes": kind}  # noqa: RUF012 - a stand-in for one attribute of the engine

    driver: Any = Driver()
    assert can_begin_early(driver) is early
