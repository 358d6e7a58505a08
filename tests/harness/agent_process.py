"""The agent runtime as a process of its own, as in a Pod, so that a test may kill it."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from local.paths import CHECKOUT
from tests.harness.workload import environment, eventually, free_port

STOP_SECONDS = 40


@dataclass
class AgentProcess:
    """A running `python -m agent_runtime run`."""

    process: "subprocess.Popen[str]"
    port: int
    metrics_port: int
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def metrics_url(self) -> str:
        return f"http://127.0.0.1:{self.metrics_port}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"it ended at once: {self.lines[-5:]}")
        try:
            return httpx.get(f"{self.metrics_url}/readyz", trust_env=False).is_success
        except httpx.TransportError:
            return False


@contextmanager
def agent_process(document: Path, **env: str) -> Iterator[AgentProcess]:
    """Run it until the block ends; `env` are variables without their prefix `AGENT_`."""
    running = started(document, env)
    try:
        yield running
    finally:
        stopped(running)


def started(document: Path, env: Mapping[str, str], *, wait: bool = True) -> AgentProcess:
    """Start a process; without `wait` it may not serve yet."""
    port, metrics_port = free_port(), free_port()
    named = {f"AGENT_{name.upper()}": value for name, value in env.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "agent_runtime", "run", str(document)],
        cwd=CHECKOUT,
        env=environment(AGENT_PORT=str(port), AGENT_METRICS_PORT=str(metrics_port), **named),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = AgentProcess(process, port, metrics_port)
    threading.Thread(target=_read, args=(running,), daemon=True).start()
    if wait:
        eventually(lambda: running.ready() or None, "the agent to be ready")
    return running


def stopped(running: AgentProcess) -> None:
    """Stop it as Kubernetes would; by force where that does not help."""
    running.process.terminate()
    try:
        running.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        running.kill()


def _read(running: AgentProcess) -> None:
    with running.process.stdout or sys.stdin as lines:
        for line in lines:
            running.lines.append(line.rstrip("\n"))
