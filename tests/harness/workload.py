"""A program of `local.workloads` as a real process on a free loopback port."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psutil

from local.paths import CHECKOUT

START_SECONDS = 60.0
STOP_SECONDS = 20.0


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


Found = TypeVar("Found")


def eventually(
    look: Callable[[], Found | None], what: str, *, seconds: float = START_SECONDS
) -> Found:
    """What `look` finds, asked again and again; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        pause.wait(0.02)
    raise AssertionError(f"waited {seconds:g} s for {what}")


@dataclass
class Workload:
    """A running program; `lines` is all it wrote to standard output."""

    process: subprocess.Popen[str]
    port: int
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def events(self, event: str) -> list[dict[str, Any]]:
        """The JSON log lines of one kind."""
        records = [json.loads(line) for line in list(self.lines) if line.startswith("{")]
        return [record for record in records if record.get("event") == event]

    def kill(self) -> None:
        """End it without warning."""
        self.process.kill()
        self.process.wait()


def command(program: str, *arguments: object, port: int) -> list[str]:
    """The argv of a program, listening on loopback."""
    base = [sys.executable, "-m", f"local.workloads.{program}", "--host", "127.0.0.1"]
    return [*base, "--port", str(port), *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    """A small environment: what a Pod's process would see, and where the program lies."""
    kept = ("PATH", "HOME", "XDG_CACHE_HOME")
    base = {key: os.environ[key] for key in kept if key in os.environ}
    return base | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | more


@contextmanager
def workload(
    program: str, *arguments: object, at: int | None = None, **env: str
) -> Iterator[Workload]:
    """Run a program until the block ends, `at` a port; it must then stop cleanly on SIGTERM."""
    port = at or free_port()
    process = subprocess.Popen(
        command(program, *arguments, port=port),
        cwd=CHECKOUT,
        env=environment(**env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Workload(process, port)
    reader = threading.Thread(target=_read, args=(running,), daemon=True)
    reader.start()
    try:
        eventually(lambda: _listens(running) or None, f"{program} to listen")
        yield running
    finally:
        ended_before = process.poll() is not None
        process.send_signal(signal.SIGTERM)
        code = _ended(process)
        reader.join(timeout=STOP_SECONDS)
        if process.stdout:
            process.stdout.close()
    assert ended_before or code == 0, f"{program} ended with {code}: {running.lines[-5:]}"


def _ended(process: "subprocess.Popen[str]") -> int | None:
    """The exit code; None for a process that had to be killed."""
    try:
        return process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def _read(running: Workload) -> None:
    for line in running.process.stdout or ():
        running.lines.append(line.rstrip("\n"))


def _listens(running: Workload) -> bool:
    if running.process.poll() is not None:
        raise AssertionError(f"it ended at once: {running.lines[-5:]}")
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", running.port)) != 0:
            return False
    # another test may hold the port for the moment between our choice and the program's
    try:
        connections = psutil.Process(running.process.pid).net_connections("tcp")
    except psutil.NoSuchProcess:
        return False
    return any(
        each.status == psutil.CONN_LISTEN and each.laddr.port == running.port
        for each in connections
    )
