"""The agent runtime as its container runs it: a process of its own, which may be killed."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import httpx

from local.paths import CHECKOUT
from tests.harness.workload import environment, eventually, free_port

STOP_SECONDS = 40


@dataclass
class Pod:
    """A process that serves an agent at `url`; `lines` is its log."""

    process: subprocess.Popen[str]
    url: str
    metrics_url: str
    lines: list[str] = field(default_factory=list)

    def kill(self) -> None:
        """Without warning, as when its node dies."""
        self.process.kill()
        self.process.wait()


@contextmanager
def pod(
    document: str,
    folder: Path,
    python: Path | None = None,
    start_seconds: float = 60,
    /,
    **env: str,
) -> Iterator[Pod]:
    """Serve a document until the block ends; settings are those of the environment contract."""
    file = folder / f"agent-{uuid.uuid4().hex[:8]}.yaml"
    file.write_text(document)
    port, metrics_port = free_port(), free_port()
    ports = {"AGENT_PORT": str(port), "AGENT_METRICS_PORT": str(metrics_port)}
    process = subprocess.Popen(
        [str(python or sys.executable), "-m", "agent_runtime", "run", str(file)],
        cwd=CHECKOUT,
        env=environment(AGENT_DRAIN_SECONDS="5", **{**ports, **env}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Pod(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics_port}")
    reader = Thread(target=_read, args=(running,), daemon=True)
    reader.start()
    try:
        eventually(lambda: _answers(running), "the card", seconds=start_seconds)
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            running.kill()
            raise
        finally:
            reader.join(timeout=STOP_SECONDS)
            if process.stdout:
                process.stdout.close()


def _answers(running: Pod) -> bool | None:
    assert running.process.poll() is None, os.linesep.join(running.lines)
    try:
        card = httpx.get(f"{running.url}/.well-known/agent-card.json")
    except httpx.TransportError:
        return None
    return card.status_code == 200 or None


def _read(running: Pod) -> None:
    for line in running.process.stdout or ():
        running.lines.append(line.rstrip("\n"))
