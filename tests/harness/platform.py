"""The local platform as a person drives it: commands as processes, in a state folder."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

CHECKOUT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Platform:
    """One platform under test; nothing of it lies in the checkout."""

    state: Path
    stack_file: Path
    first_up: dict[str, Any] = field(default_factory=dict)
    """What the first `up` said of itself."""

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "AGENTIC_STATE_DIR": str(self.state)}

    def command(self, *arguments: str) -> list[str]:
        """The argv of one command of the local plane."""
        return [sys.executable, "-m", "local", *arguments]

    def run(self, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; its exit code is the caller's to judge."""
        return subprocess.run(
            self.command(*arguments),
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def up(self, *arguments: str) -> dict[str, Any]:
        """Bring the platform up and return what it says of itself; fails with its own words."""
        done = self.run("up", "--json", "--config-file", str(self.stack_file), *arguments)
        assert done.returncode == 0, done.stderr[-4000:]
        report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return report

    def json(self, *arguments: str) -> Any:
        """The JSON answer of a command that must succeed."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, f"{arguments}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
        return json.loads(done.stdout.splitlines()[-1])

    def secret(self, name: str) -> str:
        """The text of one of the platform's generated secrets."""
        return (self.state / "secrets" / name).read_text().strip()

    def processes(self) -> list[psutil.Process]:
        """Every process that belongs to this platform, found by its state folder."""
        return [process for process in psutil.process_iter() if _mentions(process, str(self.state))]


def _mentions(process: psutil.Process, text: str) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
            return False
        return any(text in part for part in process.cmdline())
    except psutil.Error:
        return False
