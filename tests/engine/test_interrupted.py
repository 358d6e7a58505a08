"""Runs that were killed, runs side by side, and what the next one makes of it."""

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import psutil
import pytest

from local.engine import EngineResult
from tests.harness.api_server import ApiServer
from tests.harness.engine import STACK, Project, config_map

pytestmark = pytest.mark.engine
CHAIN = 24
DEADLINE_SECONDS = 30.0


def killed_after(project: Project, made: int) -> EngineResult:
    """An update whose engine gets SIGKILL as soon as `made` resources are done."""

    def watch(text: str) -> None:
        if text.startswith(f"{made} of "):
            for child in psutil.Process().children():
                if child.name() == "pulumi":
                    os.kill(child.pid, signal.SIGKILL)

    project.engine.ensure_stack(STACK)
    return project.engine.run("up", "--yes", "--skip-preview", stack=STACK, on_event=watch)


def chain(namespace: str) -> list[dict[str, object]]:
    """Objects that are made one after the other, so that a kill comes in the middle."""
    return [
        config_map(f"m{n}", namespace, {"n": str(n)}, dependsOn=[f"m{n - 1}"] if n else [])
        for n in range(CHAIN)
    ]


def await_no_process(folder: Path) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while left := _processes(folder):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.05)


def _processes(folder: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        if environment.get("PULUMI_HOME", "").startswith(str(folder)):
            found.append(f"{process.pid} {process.name()}")
    return found


def test_a_killed_update_leaves_no_process_and_the_next_one_completes_it(
    project: Project, api_server: ApiServer, namespace: str
) -> None:
    project.resources(*chain(namespace))
    result = killed_after(project, 8)
    assert (result.ok, result.code) == (False, -signal.SIGKILL)
    await_no_process(project.state.root)
    locks = project.state.pulumi_state / ".pulumi" / "locks"
    assert list(locks.rglob("*.json")), "the kill came too late to prove anything"

    said = project.engine.heal(STACK)
    assert any("removed the lock" in line for line in said)
    project.up()
    assert project.preview().changed == 0
    names = {o["metadata"]["name"] for o in api_server.client.list("v1", "ConfigMap", namespace)}
    assert names >= {f"m{n}" for n in range(CHAIN)}


def test_a_destroy_after_a_killed_update_leaves_nothing(
    project: Project, api_server: ApiServer, namespace: str
) -> None:
    project.resources(*chain(namespace))
    killed_after(project, 5)
    await_no_process(project.state.root)
    project.destroy()
    left = {o["metadata"]["name"] for o in api_server.client.list("v1", "ConfigMap", namespace)}
    assert left <= {"kube-root-ca.crt"}


def test_a_run_that_was_killed_while_it_wrote_attributes_hinders_none(
    cloud_project: Project,
) -> None:
    cloud_project.resources(exports={"answer": "42"})
    cloud_project.up()
    (attributes,) = cloud_project.state.pulumi_state.rglob("test.json.attrs")
    attributes.write_text("")
    assert cloud_project.preview().ok
    assert cloud_project.recorded("tiny-test")["outputs"]["answer"] == "42"


def test_a_lock_is_removed_only_when_its_engine_is_gone(cloud_project: Project) -> None:
    project = cloud_project
    project.resources()
    project.up()
    folder = project.state.pulumi_state / ".pulumi/locks/organization/tiny" / STACK
    folder.mkdir(parents=True, exist_ok=True)
    lock = {"pid": 2**22 + 1, "hostname": "another-machine", "username": "a"}
    (folder / "one.json").write_text(json.dumps(lock))
    assert project.engine.heal(STACK) == []
    result = project.run("preview")
    assert result.ok, "a preview takes no lock"
    result = project.run("up", "--yes", "--skip-preview")
    assert "the stack is currently locked by 1 lock(s)" in "\n".join(result.errors)
    (folder / "one.json").write_text(json.dumps(lock | {"hostname": socket.gethostname()}))
    project.up()
    assert not list(folder.glob("*.json"))


def test_two_stacks_of_one_state_deploy_at_once(
    project: Project, api_server: ApiServer, namespace: str
) -> None:
    results: dict[str, EngineResult] = {}

    def deploy(stack: str) -> None:
        results[stack] = project.run(
            "up", "--yes", "--skip-preview", stack=stack, RESOURCES=f"{stack}.yaml"
        )

    for stack in ("one", "two"):
        project.resources(*(config_map(f"{stack}-{n}", namespace, {}) for n in range(3)))
        (project.root / "resources.yaml").rename(project.root / f"{stack}.yaml")
        project.add_stack(stack)
    threads = [threading.Thread(target=deploy, args=(stack,)) for stack in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for stack in ("one", "two"):
        assert results[stack].ok, results[stack].errors
        assert results[stack].changes == {"create": 5}
    project.destroy("one", RESOURCES="one.yaml")
    left = {o["metadata"]["name"] for o in api_server.client.list("v1", "ConfigMap", namespace)}
    assert left - {"kube-root-ca.crt"} == {f"two-{n}" for n in range(3)}
