"""One process per platform: it starts the control plane and the node agent, and outlives nobody.

All it starts dies with it (`PR_SET_PDEATHSIG`), even after a `kill -9`; a part that dies alone is
started again. What runs is written to `run/supervisor.json`, which the commands read.
"""

import argparse
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from local.control_plane import ControlPlane, ProcessSpec
from local.control_plane.slots import Slot, lease
from local.paths import CHECKOUT, Cache, State
from local.process import ended, spawn, stop
from local.report import UserError
from local.toolchain import CONTROL_PLANE_TOOLS, cached

READY_SECONDS = 60.0
RESTART_DELAYS = (0.2, 1.0, 5.0, 15.0)
NODE_AGENT = "node-agent"
# etcd and the API server come one after the other; what talks to them can start at once
FOUNDATION = 2


@dataclass
class Status:
    """What `run/supervisor.json` holds; `phase` is starting, serving (the API server answers, the
    other parts are starting), running, stopping or failed."""

    pid: int
    checkout: str
    phase: str = "starting"
    problem: str = ""
    slot: int | None = None
    node_ip: str = ""
    processes: dict[str, dict[str, object]] = field(default_factory=dict)

    def write(self, state: State) -> None:
        """Replace the file at once, so that a reader never meets half of it."""
        target = state.run / "supervisor.json"
        draft = target.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(target)


def node_agent_spec(state: State, slot: Slot) -> ProcessSpec:
    """The node agent as one more process to supervise; ready once it wrote its own status."""
    marker = state.run / "node-agent.json"
    argv = [sys.executable, "-m", "local.node_agent", "--kubeconfig", str(state.kubeconfig)]
    argv += ["--state", str(state.root), "--node-ip", slot.node_ip]
    argv += ["--service-cidr", slot.service_cidr, "--pod-cidr", slot.pod_cidr]
    return ProcessSpec(
        name=NODE_AGENT,
        argv=argv,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        log=state.log / f"{NODE_AGENT}.log",
        ready=marker.exists,
        stop_seconds=15.0,
    )


class WakeUp:
    """Lets a wait end as soon as a signal arrives, without a lock that a handler could hold."""

    def __init__(self) -> None:
        self._reader, writer = socket.socketpair()
        self._writer = writer
        for end in (self._reader, writer):
            end.settimeout(0)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def wait(self, seconds: float) -> None:
        """Return after `seconds`, or at once when a signal came in."""
        if select.select([self._reader], [], [], seconds)[0]:
            self._reader.recv(4096)


class Supervisor:
    """Starts the parts in order, starts a dead one again, stops them in reverse order."""

    def __init__(self, state: State, slot: Slot, specs: list[ProcessSpec]) -> None:
        self.state = state
        self.specs = specs
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.deaths: dict[str, int] = {}
        self.not_before: dict[str, float] = {}
        self.stopping = False
        self.wake = WakeUp()
        self.status = Status(os.getpid(), str(CHECKOUT), slot=slot.number, node_ip=slot.node_ip)

    def request_stop(self, *_: object) -> None:
        """Signal handler: end the loop that is running."""
        self.stopping = True

    def start(self) -> None:
        """Start every part and wait until it is ready; raises UserError for one that is not."""
        self.status.write(self.state)
        foundation, rest = self.specs[:FOUNDATION], self.specs[FOUNDATION:]
        for spec in foundation:
            self._start(spec)
            self._await(spec)
        self._report("serving")
        for spec in rest:
            if not self.stopping:
                self._start(spec)
        for spec in rest:
            if not self.stopping:
                self._await(spec)
        self._report("running")

    def watch(self) -> None:
        """Until a stop is asked for: start again what died, later after each further death."""
        while not self.stopping:
            self.wake.wait(1.0)
            for spec in self.specs:
                self._revive(spec)

    def stop(self) -> None:
        """Last started, first stopped: the API server must be gone before etcd."""
        self._report("stopping")
        seconds = {spec.name: spec.stop_seconds for spec in self.specs}
        for name in reversed(list(self.running)):
            stop(self.running[name], seconds=seconds[name])

    def _start(self, spec: ProcessSpec) -> None:
        self.running[spec.name] = spawn(spec)
        self._report(self.status.phase)

    def _await(self, spec: ProcessSpec) -> None:
        deadline = time.monotonic() + READY_SECONDS
        process = self.running[spec.name]
        while not self.stopping and not spec.ready():
            if process.poll() is not None:
                raise UserError(ended(spec.name, process.returncode, spec.log))
            if time.monotonic() > deadline:
                raise UserError(
                    f"{spec.name} was not ready in {READY_SECONDS:.0f} s (its log: {spec.log})"
                )
            self.wake.wait(0.05)

    def _revive(self, spec: ProcessSpec) -> None:
        if self.running[spec.name].poll() is None or self.stopping:
            return
        now = time.monotonic()
        if spec.name not in self.not_before:
            deaths = self.deaths[spec.name] = self.deaths.get(spec.name, 0) + 1
            self.not_before[spec.name] = now + RESTART_DELAYS[min(deaths, len(RESTART_DELAYS)) - 1]
            self._report("running")
        elif now >= self.not_before[spec.name]:
            del self.not_before[spec.name]
            self._start(spec)
            self._report("running")

    def _report(self, phase: str) -> None:
        self.status.phase = phase
        self.status.processes = {
            name: {
                "pid": process.pid,
                "alive": process.poll() is None,
                "restarts": self.deaths.get(name, 0),
            }
            for name, process in self.running.items()
        }
        self.status.write(self.state)


def take_lock(state: State) -> int:
    """The platform's lock, held until this process ends; raises UserError when another has it."""
    descriptor = os.open(state.run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(
            f"another platform runs from {state.root}; stop it with `make down`"
        ) from None
    return descriptor


def serve(state: State, prepare: Callable[[Slot], list[ProcessSpec]], cache: Cache) -> int:
    """Hold the lock, run the platform until SIGTERM, leave nothing behind."""
    state.make()
    take_lock(state)
    (state.run / "node-agent.json").unlink(missing_ok=True)
    slot = lease(cache, owner=state.root)
    supervisor = Supervisor(state, slot, prepare(slot))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, supervisor.request_stop)
    try:
        supervisor.start()
        supervisor.watch()
    except UserError as problem:
        supervisor.status.problem = str(problem)
        supervisor.stop()
        supervisor.status.phase = "failed"
        supervisor.status.write(state)
        return 1
    supervisor.stop()
    (state.run / "supervisor.json").unlink(missing_ok=True)
    return 0


def main() -> int:
    """Entry point of the background process; started by `python -m local up`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    state = State(parser.parse_args().state)
    cache = Cache.default()

    def prepare(slot: Slot) -> list[ProcessSpec]:
        tools = cached(CONTROL_PLANE_TOOLS, cache)
        plane = ControlPlane(state.root, tools, slot=slot)
        return [*plane.specs(), node_agent_spec(state, slot)]

    try:
        return serve(state, prepare, cache)
    except UserError as problem:
        sys.stderr.write(f"{problem}\n")
        failure = Status(os.getpid(), str(CHECKOUT), phase="failed", problem=str(problem))
        failure.write(state)
        return 1


if __name__ == "__main__":
    sys.exit(main())
