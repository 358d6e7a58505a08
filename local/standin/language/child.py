"""The process in which the program runs, and its output on the way to the engine's log."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

from local.standin.kubernetes.cluster import OVERRIDE
from local.standin.server import EngineLog

LOGIN = Path(__file__).parents[1] / "login"
"""Has an `aws` that logs in to recorded clusters."""
EXECUTOR = Path(__file__).with_name("program.py")
STOP_SECONDS = 5.0


class Program:
    """One run of the program, as a process of its own session."""

    ERROR_WAS_SHOWN = 32

    def __init__(self, python: Path, request: Any) -> None:
        self.argv = [str(python), "-u", str(EXECUTOR)]
        self.settings = {
            "project": request.project,
            "stack": request.stack,
            "organization": request.organization or "organization",
            "monitor": request.monitor_address,
            "engine": request.args[0] if request.args else "",
            "parallel": request.parallel,
            "dry_run": request.dryRun,
            "root_directory": request.info.root_directory,
            "program_directory": request.info.program_directory or request.pwd,
            "entry_point": request.info.entry_point or ".",
        }
        # The SDK reads configuration from these two variables; argv would show it to everybody.
        self.environment = os.environ | {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        if OVERRIDE in os.environ:
            path = os.environ.get("PATH", os.defpath)
            self.environment["PATH"] = f"{LOGIN}{os.pathsep}{path}"
            self.environment["AGENTIC_STANDIN_PYTHON"] = sys.executable
        self._process: subprocess.Popen[str] | None = None

    def start(self, engine_address: str) -> "subprocess.Popen[str]":
        settings = self.settings | {"engine": engine_address or self.settings["engine"]}
        self._process = subprocess.Popen(
            [*self.argv, json.dumps(settings)],
            cwd=self.settings["root_directory"] or None,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        return self._process

    def stop(self) -> None:
        """End it, by force if it does not heed the request."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def run_program(program: Program, log: EngineLog) -> int:
    """Run to the end and forward each line of output as it comes; returns the exit code."""
    process = program.start(log.address)
    readers = [
        threading.Thread(target=_forward, args=(stream, log), daemon=True)
        for stream in (process.stdout, process.stderr)
    ]
    for reader in readers:
        reader.start()
    code = process.wait()
    for reader in readers:
        reader.join(STOP_SECONDS)
    return code


def _forward(stream: IO[str] | None, log: EngineLog) -> None:
    for line in stream or ():
        if line.strip():
            log.info(line.rstrip("\n"))
