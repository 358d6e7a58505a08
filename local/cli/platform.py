"""The running platform as the commands see it: its supervisor's status, started and stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import psutil

from local.api_transport import ApiError
from local.kube import KubeClient
from local.paths import CHECKOUT, State
from local.report import UserError

START_SECONDS = 120.0
STOP_SECONDS = 60.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Running:
    """A live supervisor and what it last wrote."""

    pid: int
    status: dict[str, Any]

    @property
    def phase(self) -> str:
        return str(self.status.get("phase"))

    @property
    def node_ip(self) -> str:
        return str(self.status.get("node_ip"))


def find(state: State) -> Running | None:
    """The platform of `state`, if its supervisor lives; a file left by a dead one is ignored."""
    try:
        status = json.loads((state.run / "supervisor.json").read_text())
        pid = int(status["pid"])
        command = psutil.Process(pid).cmdline()
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
    # a pid may have gone to another process since the file was written
    if "local.supervisor" not in command or str(state.root) not in command:
        return None
    return Running(pid, status)


def start(state: State) -> "subprocess.Popen[bytes]":
    """Start the supervisor in the background; `await_phase` waits for its parts."""
    state.make()
    (state.run / "supervisor.json").unlink(missing_ok=True)
    log = (state.log / "supervisor.log").open("wb")
    with log:
        return subprocess.Popen(
            [sys.executable, "-m", "local.supervisor", "--state", str(state.root)],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def await_phase(state: State, process: "subprocess.Popen[bytes]", *phases: str) -> Running:
    """Wait for one of `phases`; raises UserError with the supervisor's own words."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        running = find(state)
        if running and running.phase in phases:
            return running
        require_alive(state, process)
        time.sleep(POLL_SECONDS)
    raise UserError(
        f"the control plane was not ready in {START_SECONDS:.0f} s; see {state.log}/ "
        "and run `make down && make up`"
    )


def require_alive(state: State, process: "subprocess.Popen[bytes]") -> None:
    """Raises UserError with the supervisor's last words when it has ended."""
    if process.poll() is not None:
        raise UserError(*_last_words(state))


def await_api(state: State) -> None:
    """Wait until the API server answers: the supervisor may be starting a killed one again."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            # the last group that a starting server serves
            client = KubeClient.from_kubeconfig(state.kubeconfig)
            client.list("apiextensions.k8s.io/v1", "CustomResourceDefinition")
        except ApiError as error:
            if time.monotonic() > deadline:
                raise UserError(
                    f"the API server does not answer: {error}; run `make down && make up`"
                ) from error
            time.sleep(POLL_SECONDS)
        else:
            return


def stop(state: State) -> bool:
    """Stop the platform and wait until its supervisor has ended; False when none ran."""
    running = find(state)
    if running is None:
        return False
    end(running.pid)
    return True


def end(pid: int) -> None:
    """SIGTERM, and SIGKILL after a minute: what the supervisor started dies with it."""
    try:
        process = psutil.Process(pid)
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)
    except psutil.TimeoutExpired:
        os.kill(pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)
    except psutil.NoSuchProcess:
        return


def _last_words(state: State) -> list[str]:
    try:
        problem = json.loads((state.run / "supervisor.json").read_text()).get("problem")
    except (OSError, ValueError):
        problem = ""
    if problem:
        return str(problem).splitlines()
    log = state.log / "supervisor.log"
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return [f"the supervisor ended: {lines[-1] if lines else 'without a word'} (log: {log})"]
