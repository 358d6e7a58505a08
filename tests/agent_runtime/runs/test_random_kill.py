"""Workers are killed at moments that nobody chose, and replaced, while runs keep coming in."""

import random
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.agent_runtime.runs.effects import TENANT, World, world
from tests.harness.agent import serving_agent
from tests.harness.agent_process import AgentProcess, started, stopped
from tests.harness.workload import Workload, eventually

pytestmark = pytest.mark.services


class Workers:
    """Some processes that only work; one of them at a time is killed and replaced."""

    def __init__(self, document: Path, env: dict[str, str], count: int, seed: int) -> None:
        self._document = document
        self._env = env
        self._running = [started(document, env, wait=False) for _ in range(count)]
        self._chance = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._kill, daemon=True)
        self.killed = 0

    @contextmanager
    def dying(self) -> Iterator[None]:
        for each in self._running:
            eventually(lambda each=each: each.ready() or None, "a worker", seconds=180)  # type: ignore[misc]
        self._thread.start()
        try:
            yield
        finally:
            self.spare()

    def spare(self) -> None:
        """No more are killed."""
        self._stop.set()
        self._thread.join()

    def close(self) -> None:
        for each in self._running:
            stopped(each)

    def _kill(self) -> None:
        while not self._stop.wait(self._chance.uniform(0.2, 1.5)):
            place = self._chance.randrange(len(self._running))
            victim: AgentProcess = self._running[place]
            if not _serves(victim):
                continue
            victim.kill()
            self.killed += 1
            self._running[place] = started(self._document, self._env, wait=False)


def _serves(process: AgentProcess) -> bool:
    try:
        return process.ready()
    except AssertionError:
        return True


def prove(around: World, env: dict[str, str], document: Path, *, runs: int, workers: int) -> None:
    """None lost, none stuck, nothing done twice."""
    # also for the front, which looks for lost workers like everybody else
    env = {**env, "max_attempts": "20"}
    pool = Workers(document, {**env, "role": "worker"}, workers, seed=runs)
    orders = [uuid.uuid4().hex for _ in range(runs)]
    api = {**env, "role": "api"}
    try:
        with (
            serving_agent(around.document, **api) as front,
            httpx.Client(base_url=front.url, headers=TENANT, trust_env=False, timeout=30) as client,
        ):
            with pool.dying():
                tasks = _begun(client, orders)
                eventually(lambda: pool.killed >= 2 or None, "two workers to be killed")
            _await_over(client)
            _check(around, client, tasks, killed=pool.killed)
    finally:
        pool.close()


def _begun(client: httpx.Client, orders: list[str]) -> dict[str, str]:
    """The task of each order."""
    tasks = {}
    for order in orders:
        answer = client.post("/v1/tasks", json={"input": f"do {order}"})
        assert answer.status_code == 202, answer.text
        tasks[order] = answer.json()["id"]
    return tasks


def _check(around: World, client: httpx.Client, tasks: dict[str, str], *, killed: int) -> None:
    ends = {order: client.get(f"/v1/tasks/{task}").json() for order, task in tasks.items()}
    unknown = 0
    for order, end in ends.items():
        done = around.effects.done[order]
        assert done <= 1, f"{order} was booked {done} times"
        if end["state"] == "completed":
            assert done == 1, f"{order} is said to be done, and is not"
        else:
            # the worker died between the call and its result: a person is asked
            assert end["state"] == "waiting_input", end.get("error", end)
            unknown += 1
    seen = f"{len(tasks)} runs, {killed} workers killed, {unknown} of unknown outcome\n"
    sys.stdout.write(seen)
    assert unknown <= killed * 10, "a dead worker leaves at most its own runs in doubt"


def _await_over(client: httpx.Client) -> None:
    """As long as it takes, while something moves: a stuck run is one that ends no more."""
    left = _unfinished(client)
    while left:
        left = eventually(partial(_fewer, client, left), "a run to end")[0]


def _fewer(client: httpx.Client, left: int) -> tuple[int] | None:
    now = _unfinished(client)
    return (now,) if now < left else None


def _unfinished(client: httpx.Client) -> int:
    found = 0
    for state in ("queued", "running"):
        cursor: str | None = None
        while True:
            wanted = {"state": state, "limit": 100, **({"cursor": cursor} if cursor else {})}
            answer = client.get("/v1/tasks", params=wanted)
            assert answer.status_code == 200, answer.text
            found += len(answer.json()["data"])
            cursor = answer.json()["next"]
            if cursor is None:
                break
    return found


@pytest.fixture
def around(valkey: Workload) -> Iterator[World]:
    with world(f"random-{uuid.uuid4().hex[:6]}", valkey.port) as running:
        yield running


def test_no_run_is_lost_or_doubled_when_all_workers_die_one_after_the_other(
    around: World, tmp_path: Path, password_file: Path
) -> None:
    document = tmp_path / "agent.yaml"
    document.write_text(around.document)
    env = around.environment(password_file, queue=around.name)
    chance, orders = random.Random(), [uuid.uuid4().hex for _ in range(30)]
    with ExitStack() as stack:
        api, working = {**env, "role": "api"}, {**env, "role": "worker"}
        front = stack.enter_context(serving_agent(around.document, **api))
        workers = [started(document, working, wait=False) for _ in range(2)]
        for each in workers:
            stack.callback(each.kill)
            eventually(lambda each=each: each.ready() or None, "a worker", seconds=180)  # type: ignore[misc]
        client = stack.enter_context(
            httpx.Client(base_url=front.url, headers=TENANT, trust_env=False, timeout=30)
        )
        tasks = _begun(client, orders)
        for victim, least in zip(workers, (1, 11), strict=True):
            share = chance.randrange(least, least + 10)
            eventually(lambda n=share: around.effects.done.total() >= n or None, "some effects")  # type: ignore[misc]
            victim.kill()
        stack.enter_context(serving_agent(around.document, **working))
        _await_over(client)
        _check(around, client, tasks, killed=2)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("runs", "workers"), [(40, 2), (1000, 3)])
def test_no_run_is_lost_or_doubled_when_workers_die_at_random(
    runs: int, workers: int, around: World, tmp_path: Path, password_file: Path
) -> None:
    document = tmp_path / "agent.yaml"
    document.write_text(around.document)
    queue = f"queue-{uuid.uuid4().hex[:8]}"
    env = around.environment(password_file, queue=queue, lease_seconds="2")
    prove(around, env, document, runs=runs, workers=workers)
