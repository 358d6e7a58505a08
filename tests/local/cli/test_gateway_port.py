"""A taken port is said before anything is deployed; the platform's own listener is none."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cli import platform
from local.cli.gateway_port import require_port
from local.paths import State
from local.report import UserError

pytestmark = pytest.mark.unit

NODE = "127.0.0.1"


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((NODE, 0)) as holder:
        yield holder.getsockname()[1]


def runs(monkeypatch: pytest.MonkeyPatch, *, node_agent: int) -> None:
    status = {"node_ip": NODE, "processes": {"node-agent": {"pid": node_agent}}}
    found = platform.Running(os.getpid(), status)
    monkeypatch.setattr(platform, "find", lambda _: found)


def test_another_programs_port_is_named_with_its_holder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, taken: int
) -> None:
    runs(monkeypatch, node_agent=1)
    with pytest.raises(UserError, match=rf"{NODE}:{taken} is taken by .*pid {os.getpid()}"):
        require_port(State(tmp_path), taken)


def test_the_node_agents_own_listener_is_no_obstacle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, taken: int
) -> None:
    runs(monkeypatch, node_agent=os.getpid())
    require_port(State(tmp_path), taken)


def test_a_stack_without_envoy_asks_for_no_port(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runs(monkeypatch, node_agent=1)
    require_port(State(tmp_path), None)
