"""The agent's own end and return: nothing is left, nothing is forgotten."""

import subprocess
import sys
from pathlib import Path

import pytest

from local.paths import CHECKOUT
from tests.local.node_agent.cluster import Cluster, alive, eventually, is_ready
from tests.local.node_agent.workloads import pod, server, shell

pytestmark = pytest.mark.services
RESIDENT_LIMIT_KIB = 80 * 1024


def test_killing_the_agent_leaves_no_process_and_its_return_restarts_the_pods(
    node_cluster: Cluster, namespace: str
) -> None:
    node_cluster.make(pod(namespace, "web", server()))
    before = node_cluster.wait_ready(namespace, "web")
    pids = eventually(lambda: node_cluster.agent.pids(namespace), "its processes")
    node_cluster.agent.kill()
    eventually(lambda: not alive(pids), "all processes have died with the agent")
    node_cluster.agent.start()
    found = eventually(
        lambda: (
            (c := node_cluster.container(namespace, "web")).get("ready")
            and c["restartCount"] == 1
            and c
        ),
        "the Pod runs again",
    )
    assert found["lastState"]["terminated"]["reason"] == "NodeAgentStopped"
    after = node_cluster.pod(namespace, "web")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["status"]["podIP"] == before["status"]["podIP"]


def test_ending_the_agent_stops_pods_gently_and_says_so(
    node_cluster: Cluster, namespace: str
) -> None:
    script = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    node_cluster.make(pod(namespace, "polite", shell(script)))
    node_cluster.wait_output(namespace, "polite", "up")
    pids = eventually(lambda: node_cluster.agent.pids(namespace), "its processes")
    assert node_cluster.agent.stop() == 0
    try:
        assert not alive(pids)
        assert not node_cluster.agent.report
        stopped = node_cluster.pod(namespace, "polite")
        assert not is_ready(stopped)
        ended = node_cluster.container(namespace, "polite")["state"]["terminated"]
        assert ended["exitCode"] == 0
        assert not is_ready(node_cluster.client.get("v1", "Node", "local"))
        log = node_cluster.agent.state / "log" / "pods" / f"{namespace}_polite_main.log"
        assert log.read_text() == "up\nbye\n"
    finally:
        node_cluster.agent.start()
    node_cluster.wait_ready(namespace, "polite")


def test_a_pod_deleted_while_no_agent_ran_is_let_go(node_cluster: Cluster, namespace: str) -> None:
    node_cluster.make(pod(namespace, "web", server()))
    uid = node_cluster.wait_ready(namespace, "web")["metadata"]["uid"]
    node_cluster.agent.stop()
    try:
        node_cluster.client.delete("v1", "Pod", "web", namespace)
        assert node_cluster.pod(namespace, "web")["metadata"]["deletionTimestamp"]
    finally:
        node_cluster.agent.start()
    eventually(lambda: not node_cluster.pod(namespace, "web"), "the Pod is gone")
    assert not (node_cluster.agent.state / "pods" / uid).exists()


def test_a_second_agent_for_the_same_state_is_refused(node_cluster: Cluster) -> None:
    done = subprocess.run(
        node_cluster.agent.argv, cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "another node agent runs" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_addresses_outside_loopback_are_refused_all_at_once(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "local.node_agent", "--kubeconfig", "x", "--state", str(tmp_path)]
    argv += ["--node-ip", "10.0.0.1", "--service-cidr", "127.96.0.0/16", "--pod-cidr", "nonsense"]
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert [line.split()[2] for line in done.stderr.strip().splitlines()] == [
        "--node-ip",
        "--pod-cidr",
    ]


def test_the_agent_stays_small(node_cluster: Cluster) -> None:
    assert node_cluster.agent.process is not None
    status = Path(f"/proc/{node_cluster.agent.process.pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    assert int(resident.split()[1]) < RESIDENT_LIMIT_KIB
