"""Second runs, drift, killed parts, two at once, and the end: nothing left."""

import os
import signal
import socket
import subprocess

import psutil
import pytest

from tests.harness.platform import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


def kubectl(platform: Platform, *arguments: str) -> str:
    tools = platform.json("tools")
    return subprocess.run(
        [tools["kubectl"], "--kubeconfig", str(platform.state / "kubeconfig"), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def pids(platform: Platform) -> dict[str, int]:
    report = platform.json("status")
    return {
        row["name"]: int(row["detail"].split()[-1])
        for row in report["components"]
        if row["layer"] == "control plane"
    }


def test_kubectl_tells_the_truth_about_a_killed_process(platform: Platform) -> None:
    before = kubectl(
        platform, "get", "pods", "-n", "ai-data", "-o", "jsonpath={..restartCount}"
    ).split()
    victims = [
        process
        for process in platform.processes()
        if "valkey-server" in " ".join(process.cmdline()) and process.name().startswith("valkey")
    ] or [process for process in psutil.process_iter() if _is_valkey_of(process, platform)]
    assert victims, "no valkey-server process was found"
    victims[0].kill()
    kubectl(
        platform, "wait", "-n", "ai-data", "pod", "--all", "--for=condition=Ready", "--timeout=60s"
    )
    deadline = 60
    after = before
    for _ in range(deadline * 4):
        after = kubectl(
            platform, "get", "pods", "-n", "ai-data", "-o", "jsonpath={..restartCount}"
        ).split()
        if sum(map(int, after)) > sum(map(int, before)):
            break
        signal.sigtimedwait([], 0.25)
    assert sum(map(int, after)) == sum(map(int, before)) + 1


def _is_valkey_of(process: psutil.Process, platform: Platform) -> bool:
    try:
        ancestors = {parent.pid for parent in process.parents()}
        return process.name().startswith("valkey") and bool(
            ancestors & {mine.pid for mine in platform.processes()}
        )
    except psutil.Error:
        return False


def test_kubectl_logs_shows_a_pods_output(platform: Platform) -> None:
    text = kubectl(platform, "logs", "-n", "ai-gateway", "deployment/ai-gateway", "--tail=5")
    assert text.strip()


def test_up_starts_a_killed_api_server_again_and_changes_nothing_else(platform: Platform) -> None:
    before = pids(platform)["kube-apiserver"]
    os.kill(before, signal.SIGKILL)
    report = platform.up("--no-question")
    assert report["ready"]
    assert report["changes"] == {}, report["changes"]
    assert pids(platform)["kube-apiserver"] != before


def test_two_platforms_run_at_once_and_the_end_of_one_leaves_nothing_of_it(
    platform: Platform, small_platform: Platform
) -> None:
    gateway = small_platform.up("--no-question")["addresses"]["gateway"]
    assert gateway != platform.first_up["addresses"]["gateway"]
    done = small_platform.run("down")
    assert done.returncode == 0, done.stderr
    assert small_platform.processes() == []
    host, port = gateway.removeprefix("http://").split(":")
    with socket.socket() as probe:
        probe.bind((host, int(port)))
    assert not (small_platform.state / "run").exists()
    assert platform.json("status")["ready"], "the other one goes on"
    again = small_platform.up("--no-question")
    assert again["ready"], "the next up works"
    assert again["changes"] == {}, "and finds what was there"
