"""`python -m tools.bench_recovery`: how long a run is without a worker when its own is killed.

Workers are killed (SIGKILL), each with some runs in its hands and at a moment drawn at random; the
lease is the one that Pods have. All are killed before the first lease lapses, so that none of them
gets what another one left behind. Times are from the kill to the moments that the log of the run
tells, which the store writes by the clock of this machine.
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
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from tools.bench_runtime import AGENT, CARD, free_port, running

RUNS = 4
"""In the hands of each worker that is killed."""
STARTS_AT_ONCE = 2
VOLLEY_SECONDS = 6.0
"""Between the first kill and the last: two heartbeats, and less than a lease."""
LATEST_SECONDS = 0.3
"""A run of this agent takes about 0.4 s."""
LOST_SECONDS = 120.0
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


def victim(ground: Ground, number: int, stack: ExitStack) -> tuple[int, int]:
    """A worker that is ready; nothing (0) where somebody else took its port meanwhile."""
    try:
        room = {"AGENT_MAX_RUNS": str(RUNS + 1)}  # one place is kept for what comes from the queue
        return stack.enter_context(ground.agent(core=number % 2, **room))
    except SystemExit as error:
        if "Address already in use" not in str(error):
            raise
        return 0, 0


def killed(client: httpx.Client, pid: int, port: int) -> tuple[list[str], float]:
    """The sessions of the runs whose worker was killed, and when (Unix seconds)."""
    time.sleep(random.uniform(0.0, VOLLEY_SECONDS))  # noqa: S311 # nothing secret
    sessions = [uuid.uuid4().hex for _ in range(RUNS)]
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    body = {"model": "bench", "messages": [{"role": "user", "content": "order 7"}]}

    def ask(session: str) -> None:
        time.sleep(random.uniform(0.0, LATEST_SECONDS))  # noqa: S311 # nothing secret
        with suppress(httpx.TransportError):
            answer = client.post(url, json=body, headers={"x-session-id": session})
            answer.raise_for_status()

    askers = [threading.Thread(target=ask, args=(each,)) for each in sessions]
    for asker in askers:
        asker.start()
    time.sleep(LATEST_SECONDS)
    at = time.time()
    os.kill(pid, signal.SIGKILL)
    for asker in askers:
        asker.join()
    return sessions, at


def recovered(client: httpx.Client, port: int, session: str, at: float) -> Recovery | None:
    """None where its worker was killed before it had the run, or after it was done."""
    tasks, end = f"http://127.0.0.1:{port}/v1/tasks", time.monotonic() + LOST_SECONDS
    while True:
        found = client.get(tasks, params={"session_id": session}).json()["data"]
        if not found:
            return None
        if found[0]["state"] in ("completed", "failed"):
            break
        if time.monotonic() > end:
            raise SystemExit(f"the run {found[0]['id']} is lost: {found[0]['state']}")
        time.sleep(0.1)
    log = client.get(f"{tasks}/{found[0]['id']}/events").text
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
    """Of the runs that `kills` workers left behind."""
    limits = httpx.Limits(max_connections=None)
    with (
        ground(folder) as shared,
        shared.agent(core=1, AGENT_MAX_RUNS=str(kills * RUNS + 1)) as (_, port),
        ExitStack() as victims,
        httpx.Client(trust_env=False, headers=TENANT, timeout=60, limits=limits) as client,
    ):
        with ThreadPoolExecutor(STARTS_AT_ONCE) as pool:
            ready = list(pool.map(lambda number: victim(shared, number, victims), range(kills)))
        with ThreadPoolExecutor(kills) as pool:
            left = list(pool.map(lambda each: killed(client, *each), filter(all, ready)))
        found = [recovered(client, port, each, at) for runs, at in left for each in runs]
    return [each for each in found if each]


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
    parser.add_argument("--kills", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="agentic-bench-") as folder:
        found = recoveries(Path(folder), options.kills)
    if options.json:
        sys.stdout.write(json.dumps([asdict(each) for each in found]) + "\n")
        return
    killed_with = f"{options.kills} workers killed with {len(found)} runs in their hands"
    sys.stdout.write(f"{killed_with}, none lost\n")
    sys.stdout.write(line("until another worker has it", [each.taken for each in found]) + "\n")
    sys.stdout.write(line("until it is done", [each.done for each in found]) + "\n")


if __name__ == "__main__":
    main()
