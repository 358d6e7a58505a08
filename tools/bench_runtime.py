"""`python -m tools.bench_runtime`: the agent runtime beside a hand-written loop, in one run.

An agent with one tool, durable runs on a real Valkey, a model that says its first word after 55 ms
and its last after 250 ms: 0.36 s for the two calls of an answer. The server has one core,
everything else the others.
"""

import argparse
import contextlib
import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

CHECKOUT = Path(__file__).resolve().parent.parent
STREAMS = (1, 50, 200)
SECONDS = 6.0
CARD = "/.well-known/agent-card.json"
"""What Kubernetes asks for before it sends requests."""
AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: bench}
spec:
  model: {name: m}
  memory: {type: redis, config: {host: 127.0.0.1, port: %d}}
  tools:
    - name: look
      type: api
      config: {endpoint: "http://127.0.0.1:%d/look"}
      sideEffect: read
      parameters: [{name: order, type: string, required: true}]
"""


@dataclass(frozen=True)
class Row:
    """One server under one load."""

    server: str
    streams: int
    requests: int
    errors: int
    per_second: float
    ttft_p50_ms: float
    ttft_p99_ms: float
    cpu_ms: float
    rss_mib: float

    def line(self) -> str:
        return (
            f"{self.server:8} {self.streams:4} streams {self.per_second:7.1f} req/s"
            f"  +TTFT p50 {self.ttft_p50_ms:6.1f} p99 {self.ttft_p99_ms:6.1f} ms"
            f"  CPU {self.cpu_ms:5.1f} ms/req  RSS {self.rss_mib:4.0f} MiB  errors {self.errors}"
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(
    argv: list[str], port: int, *, core: int, page: str = "", **env: str
) -> Iterator[tuple[int, float]]:
    """A process on one core; gives its id and the seconds until it listened, or showed `page`."""
    # the image brings the bytecode of everything that it starts
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, *argv],
            cwd=CHECKOUT,
            env={**inherited, "PYTHONPATH": str(CHECKOUT), **env},
            stdout=log,
            stderr=log,
        )
        psutil.Process(process.pid).cpu_affinity([core])
        try:
            while not _serves(port, page):
                if process.poll() is not None:
                    log.seek(0)
                    raise SystemExit(log.read().decode()[-2000:])
                time.sleep(0.01)
            yield process.pid, time.perf_counter() - began
        finally:
            process.terminate()
            process.wait(60)


def _serves(port: int, page: str) -> bool:
    """Asked on a bare socket: a client that loads certificates would take the core from a start."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) != 0:
            return False
        if not page:
            return True
        probe.settimeout(5)
        try:
            probe.sendall(f"GET {page} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".encode())
            return probe.recv(12) == b"HTTP/1.1 200"
        except OSError:
            return False


def measured(server: str, pid: int, port: int, streams: int) -> Row:
    process = psutil.Process(pid)
    before = process.cpu_times()
    argv = [str(port), "bench", str(streams), str(SECONDS)]
    done = subprocess.run(
        [sys.executable, "-m", "tools.bench_runtime_load", *argv],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    after = process.cpu_times()
    load: dict[str, Any] = json.loads(done.stdout)
    used = after.user + after.system - before.user - before.system
    return Row(
        server=server,
        streams=streams,
        requests=load["requests"],
        errors=load["errors"],
        per_second=load["per_second"],
        ttft_p50_ms=load["ttft_p50"],
        ttft_p99_ms=load["ttft_p99"],
        cpu_ms=1000 * used / max(1, load["requests"]),
        rss_mib=process.memory_info().rss / 2**20,
    )


def first_answer(port: int) -> float:
    """Seconds that a question takes whose answer is not streamed."""
    body = json.dumps({"model": "bench", "messages": [{"role": "user", "content": "where is 7?"}]})
    headers = {"x-tenant-id": "acme", "content-type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", body, headers)
    with connection.getresponse() as answer:
        said = answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"the first question got {answer.status}: {said[:500]!r}")
    return time.perf_counter() - began


@contextlib.contextmanager
def agent(folder: Path, world_port: int) -> Iterator[tuple[int, int, float]]:
    """The runtime on a Valkey of its own: process id, port, seconds from start to serving."""
    password = folder / "password"
    password.write_text(secrets.token_hex(16))
    store_port, port = free_port(), free_port()
    store = ["-m", "local.workloads.session_store", "--host", "127.0.0.1"]
    store += ["--port", str(store_port), "--password-file", str(password)]
    document = folder / "agent.yaml"
    document.write_text(AGENT % (store_port, world_port))
    env = {
        "AGENT_PORT": str(port),
        "AGENT_METRICS_PORT": str(free_port()),
        "AGENT_MODEL_BASE_URL": f"http://127.0.0.1:{world_port}/v1",
        "AGENT_REDIS_PASSWORD_FILE": str(password),
        "AGENT_ALLOWED_HOSTS": "127.0.0.1",
        "AGENT_MAX_RUNS": "256",
        "AGENT_MAX_STREAMS": "256",
        "AGENT_LOG_LEVEL": "WARNING",
    }
    argv = ["-m", "agent_runtime", "run", str(document)]
    with (
        running([*store, "--data", str(folder / "store")], store_port, core=1),
        running(argv, port, core=0, page=CARD, **env) as (pid, seconds),
    ):
        yield pid, port, seconds


def rows(folder: Path) -> Iterator[Row]:
    world_port, floor_port = free_port(), free_port()
    program = ["-m", "tools.bench_runtime_world"]
    with running([*program, "world", str(world_port)], world_port, core=1):
        floor = [*program, "floor", str(floor_port), str(world_port)]
        with running(floor, floor_port, core=0) as (pid, _):
            for streams in STREAMS:
                yield measured("floor", pid, floor_port, streams)
        with agent(folder, world_port) as (pid, port, seconds):
            idle = psutil.Process(pid).memory_info().rss / 2**20
            answered = seconds + first_answer(port)
            print(f"runtime  start to serving {seconds:.2f} s, idle RSS {idle:.0f} MiB")
            print(f"runtime  start to the end of a first answer {answered:.2f} s")
            for streams in STREAMS:
                yield measured("runtime", pid, port, streams)


def main() -> None:
    """Measure and print; nothing here fails because a machine is slow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="agentic-bench-") as folder:
        for row in rows(Path(folder)):
            print(json.dumps(row.__dict__) if options.json else row.line(), flush=True)


if __name__ == "__main__":
    main()
