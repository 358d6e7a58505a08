"""One control plane: its files, its programs, and running it for the length of a `with`."""

import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.control_plane import commands, pki, ports
from local.control_plane.readiness import answers
from local.control_plane.slots import SLOT_FILE, Slot, recorded_slot
from local.kubeconfig import Kubeconfig, write_private
from local.process import ProcessSpec, log_tail, spawn, stop
from local.report import UserError

COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
CONTEXT = "local"
POLL_SECONDS = 0.05
# The collector runs earlier than Go's default: a third less memory for a few per cent of CPU.
ENVIRONMENT = {"GOGC": "50", "HOME": "/nonexistent", "PATH": "/usr/bin:/bin"}


@dataclass(frozen=True)
class RunningPlane:
    """A control plane that serves, with its processes by name."""

    kubeconfig: Path
    processes: Mapping[str, "subprocess.Popen[bytes]"]


class ControlPlane:
    """etcd and the API server, with controllers and scheduler as asked, below `state`."""

    def __init__(
        self,
        state: Path,
        tools: Mapping[str, Path],
        *,
        slot: Slot,
        unsafe_no_fsync: bool = False,
        components: Sequence[str] = COMPONENTS,
    ) -> None:
        self.state = state
        self.slot = slot
        self.kubeconfig = state / "kubeconfig"
        self._tools = tools
        self._unsafe_no_fsync = unsafe_no_fsync
        self._components = [name for name in COMPONENTS if name in components]

    def specs(self) -> list[ProcessSpec]:
        """Write what the programs need (keys, logins, kubeconfig); their specs in start order.

        Raises UserError when a port is taken, or the data belongs to other addresses.
        """
        ports.require_free(self.slot.node_ip, self._port_names())
        self._bind_to_slot()
        keys = pki.make(self.state / "pki", self.slot)
        self._login(keys, "admin").write(self.kubeconfig, context=CONTEXT, user="admin")
        return [self._spec(name, keys) for name in self._components]

    @contextmanager
    def running(self, *, timeout_seconds: float = 60.0) -> Iterator[RunningPlane]:
        """Start all and wait until each serves; afterwards none is left, etcd ends last.

        Call it from the main thread (see `spawn`). Raises UserError when one does not come up.
        """
        processes: dict[str, subprocess.Popen[bytes]] = {}
        specs = self.specs()
        try:
            for spec in specs:
                processes[spec.name] = spawn(spec)
                # The controllers end themselves when they find no API server.
                if spec.name == "kube-apiserver":
                    _await_all(specs[:2], processes, timeout_seconds)
            _await_all(specs, processes, timeout_seconds)
            yield RunningPlane(self.kubeconfig, processes)
        finally:
            for spec in reversed(specs):
                if spec.name in processes:
                    stop(processes[spec.name], seconds=spec.stop_seconds)

    def _port_names(self) -> list[str]:
        return [*self._components, *(["etcd-peer"] if "etcd" in self._components else [])]

    def _bind_to_slot(self) -> None:
        recorded = recorded_slot(self.state)
        data = self.state / "etcd"
        if recorded is None:
            # Data without a slot is what an interrupted first start left.
            shutil.rmtree(data, ignore_errors=True)
        elif recorded != self.slot.number and data.exists():
            raise UserError(
                f"{self.state}: its data lives on the addresses of slot {recorded}, which another "
                "platform holds now: stop that one, or start over: `make down ARGS=--delete-state`"
            )
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self.state / SLOT_FILE, f"{self.slot.number}\n")

    def _login(self, keys: pki.Pki, user: str) -> Kubeconfig:
        return Kubeconfig(
            server=commands.url(self.slot, "kube-apiserver"),
            certificate_authority=keys.ca.read_text(),
            token=keys.token(user),
        )

    def _login_file(self, keys: pki.Pki, name: str) -> Path:
        path = keys.root / f"{name}.kubeconfig"
        self._login(keys, f"system:{name}").write(path, context=CONTEXT, user=f"system:{name}")
        return path

    def _spec(self, name: str, keys: pki.Pki) -> ProcessSpec:
        path = "/readyz" if name == "kube-apiserver" else "/healthz"
        if name == "etcd":
            path = "/health"
        check = answers(
            commands.url(self.slot, name) + path, keys, client_certificate=name == "etcd"
        )
        return ProcessSpec(
            name=name,
            argv=self._argv(name, keys),
            env=ENVIRONMENT,
            log=self.state / "log" / f"{name}.log",
            ready=check,
        )

    def _argv(self, name: str, keys: pki.Pki) -> list[str]:
        program = self._tools[name]
        if name == "etcd":
            data = self.state / "etcd"
            return commands.etcd(
                program, self.slot, keys, data, unsafe_no_fsync=self._unsafe_no_fsync
            )
        if name == "kube-apiserver":
            return commands.kube_apiserver(program, self.slot, keys)
        login = self._login_file(keys, name)
        if name == "kube-controller-manager":
            return commands.kube_controller_manager(program, self.slot, keys, login)
        return commands.kube_scheduler(program, self.slot, keys, login)


def _await_all(
    specs: Sequence[ProcessSpec],
    processes: Mapping[str, "subprocess.Popen[bytes]"],
    timeout_seconds: float,
) -> None:
    deadline = time.monotonic() + timeout_seconds
    for spec in specs:
        while not spec.ready():
            process = processes[spec.name]
            if process.poll() is not None:
                words = log_tail(spec.log, lines=1)
                raise UserError(
                    f"{spec.name} ended with code {process.returncode}: {words} (log: {spec.log})"
                )
            if time.monotonic() > deadline:
                raise UserError(
                    f"{spec.name} was not ready in {timeout_seconds:g} s (log: {spec.log})"
                )
            time.sleep(POLL_SECONDS)
