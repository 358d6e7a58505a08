"""The store goes away while runs go on, and comes back with what it had kept."""

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from local.paths import CHECKOUT
from tests.agent_runtime.runs.effects import TENANT, begin, settled, world
from tests.harness.agent import serving_agent
from tests.harness.workload import Workload, command, environment, eventually, free_port

pytestmark = pytest.mark.services


@contextmanager
def store(port: int, password_file: Path, data: Path) -> Iterator[Workload]:
    """A Valkey on a given port, over what an earlier one left there."""
    argv = command("session_store", "--password-file", password_file, "--data", data, port=port)
    process = subprocess.Popen(
        argv, cwd=CHECKOUT, env=environment(), stdout=subprocess.DEVNULL, text=True
    )
    running = Workload(process, port)
    try:
        yield running
    finally:
        running.kill()


def test_a_run_ends_although_the_store_was_away_in_its_middle(
    tmp_path: Path, password_file: Path
) -> None:
    port, order = free_port(), uuid.uuid4().hex
    with world(f"outage-{order[:6]}", port) as around:
        env = around.environment(password_file, lease_seconds="5")
        with (
            store(port, password_file, tmp_path) as first,
            serving_agent(around.document, **env) as agent,
        ):

            def begun() -> str | None:
                try:
                    return begin(agent.url, f"slow {order}")
                except AssertionError:
                    return None  # the store is not up yet: 503, as promised

            task_id = eventually(begun, "the task to be accepted")
            eventually(lambda: around.model.played("slow") or None, "the model to be asked")
            # everysec: what was written in the last second may be lost with it
            first.process.terminate()
            first.process.wait(20)
            refused = httpx.post(
                f"{agent.url}/v1/tasks",
                json={"input": "more"},
                headers=TENANT,
                trust_env=False,
                timeout=60,
            )
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) > 0
            assert around.effects.done[order] == 0, "no journal, no effect"
            with store(port, password_file, tmp_path):

                def ended() -> bool | None:
                    answer = httpx.get(
                        f"{agent.url}/v1/tasks/{task_id}",
                        headers=TENANT,
                        trust_env=False,
                        timeout=60,
                    )
                    return answer.is_success or None

                eventually(ended, "the store to be back")
                found = settled(agent.url, task_id)
        assert found["state"] == "completed", found
        assert around.effects.done[order] == 1
