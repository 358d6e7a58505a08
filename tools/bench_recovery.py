"""`python -m tools.bench_recovery`: how long a run is without a worker when its own is killed.

Workers are killed (SIGKILL) in the middle of a run, each with one run of its own, at a moment drawn
at random; the lease is the one that Pods have. Times are from the kill to the moments that the log
of the run tells, which the store writes by the clock of this machine.
"""

import argparse
import json
import os
import random
import secrets
import signal
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from tools.bench_runtime import AGENT, CARD, free_port, running

SIDE_BY_SIDE = 2
LATEST_SECONDS = 0.45
"""A run of this agent takes about half a second."""
TENANT = {"x-tenant-id": "bench"}
AIM_SECONDS = 45.0


@dataclass(frozen=True)
class Recovery:
    """Seconds from the kill of its worker until another one had the run, and until it was done."""

    taken: float
    done: float


@dataclass(frozen=True)
class Ground:
    """What the processes share."""

    document: Path
    env: dict[str, str]

    @contextmanager
    def agent(self, *, core: int, **env: str) -> Iterator[tuple[int, int]]:
        """Process id and port of one more process of the agent."""
        port = free_port()
        ports = {"AGENT_PORT": str(port), "AGENT_METRICS_PORT": str(free_port())}
        argv = ["-m", "agent_runtime", "run", str(self.document)]
        with running(argv, port, core=core, page=CARD, **self.env, **ports, **env) as (pid, _):
            yield pid, port


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    password, document = folder / "password", folder / "agent.yaml"
    password.write_text(secrets.token_hex(16))
    world_port, store_port = free_port(), free_port()
    document.write_text(AGENT % (store_port, world_port))
    env = {
        "AGENT_MODEL_BASE_URL": f"http://127.0.0.1:{world_port}/v1",
        "AGENT_REDIS_PASSWORD_FILE": str(password),
        "AGENT_ALLOWED_HOSTS": "127.0.0.1",
        "AGENT_LOG_LEVEL": "WARNING",
    }
    store = ["-m", "local.workloads.session_store", "--host", "127.0.0.1"]
    store += ["--port", str(store_port), "--password-file", str(password)]
    world = ["-m", "tools.bench_runtime_world", "world", str(world_port)]
    with (
        running([*store, "--data", str(folder / "store")], store_port, core=1),
        running(world, world_port, core=1),
    ):
        yield Ground(document, env)


def killed(ground: Ground, core: int) -> tuple[str, float]:
    """The session of a run whose worker was killed, and when (Unix seconds)."""
    session, at = uuid.uuid4().hex, 0.0
    body = {"model": "bench", "stream": True, "messages": [{"role": "user", "content": "order 7"}]}
    headers = TENANT | {"x-session-id": session}
    with (
        ground.agent(core=core, AGENT_MAX_RUNS="1") as (pid, port),
        httpx.Client(trust_env=False, timeout=60) as client,
        suppress(httpx.TransportError),
        client.stream(
            "POST", f"http://127.0.0.1:{port}/v1/chat/completions", json=body, headers=headers
        ) as answer,
    ):
        answer.raise_for_status()
        time.sleep(random.uniform(0.0, LATEST_SECONDS))  # noqa: S311 # nothing secret
        at = time.time()
        os.kill(pid, signal.SIGKILL)
    return session, at


def attempted(ground: Ground, core: int) -> tuple[str, float]:
    """As `killed`; nothing where somebody else took the port meanwhile."""
    try:
        return killed(ground, core)
    except SystemExit as error:
        if "Address already in use" not in str(error):
            raise
        return "", 0.0


def recovered(client: httpx.Client, session: str, at: float) -> Recovery | None:
    """None where the run was done before its worker was killed."""
    (run,) = client.get("/v1/tasks", params={"session_id": session}).json()["data"]
    log = client.get(f"/v1/tasks/{run['id']}/events").text
    times: dict[str, list[float]] = {}
    for entry in log.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in entry.splitlines() if ": " in line)
        if "id" in fields:
            moment = int(fields["id"].partition("-")[0]) / 1000
            times.setdefault(fields["event"], []).append(moment)
    if len(times["run.running"]) == 1:
        return None
    return Recovery(times["run.running"][-1] - at, times["run.completed"][0] - at)


def recoveries(folder: Path, kills: int) -> list[Recovery]:
    """At least `kills` of them; a run that is lost is waited for without end."""
    found: list[Recovery] = []
    with (
        ground(folder) as shared,
        shared.agent(core=1, AGENT_MAX_RUNS="64") as (_, port),
        httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers=TENANT, trust_env=False, timeout=120
        ) as client,
        ThreadPoolExecutor(SIDE_BY_SIDE) as pool,
    ):
        while len(found) < kills:
            cores = [number % 2 for number in range(kills - len(found))]
            for session, at in list(pool.map(lambda core: attempted(shared, core), cores)):
                if at and (one := recovered(client, session, at)):
                    found.append(one)
    return found


def line(name: str, values: list[float]) -> str:
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    mark = "ok" if ordered[-1] <= AIM_SECONDS else "OVER"
    return (
        f"{name:28} p50 {statistics.median(ordered):5.1f}  p99 {p99:5.1f}"
        f"  max {ordered[-1]:5.1f} s  (≤ {AIM_SECONDS:g})  {mark}"
    )


def main() -> None:
    """Measure and print; nothing here fails because a machine is slow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="agentic-bench-") as folder:
        found = recoveries(Path(folder), options.kills)
    if options.json:
        sys.stdout.write(json.dumps([asdict(each) for each in found]) + "\n")
        return
    sys.stdout.write(f"{len(found)} workers killed in the middle of a run, none lost\n")
    sys.stdout.write(line("until another worker has it", [each.taken for each in found]) + "\n")
    sys.stdout.write(line("until it is done", [each.done for each in found]) + "\n")


if __name__ == "__main__":
    main()
