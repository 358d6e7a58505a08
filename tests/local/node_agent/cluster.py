"""A control plane with a scheduler, and the node agent as a process of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx

from local.control_plane.slots import Slot
from local.kube import KubeClient
from local.paths import CHECKOUT
from local.process import ProcessSpec, spawn, stop

Manifest = dict[str, Any]
PATIENCE_SECONDS = 60.0


Answer = TypeVar("Answer")


def eventually(ask: Callable[[], Answer | Literal[False] | None], what: str) -> Answer:
    """The first truthy answer of `ask`; fails with its last answer when none comes in time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not in {PATIENCE_SECONDS:g} s: {what}; last: {answer!r}")
        time.sleep(0.05)


class NodeAgent:
    """The agent of one test node; it can be ended and started again."""

    def __init__(self, state: Path, kubeconfig: Path, slot: Slot) -> None:
        self.state = state
        self._slot = slot
        self._kubeconfig = kubeconfig
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def argv(self) -> list[str]:
        slot = self._slot
        return [
            *(sys.executable, "-m", "local.node_agent", "--kubeconfig", str(self._kubeconfig)),
            *("--state", str(self.state), "--node-ip", slot.node_ip, "--backoff-seconds", "0.2"),
            *("--service-cidr", slot.service_cidr, "--pod-cidr", slot.pod_cidr),
        ]

    @property
    def report(self) -> Manifest:
        """What the agent says of itself; empty while it does not run."""
        try:
            return dict(json.loads((self.state / "run" / "node-agent.json").read_text()))
        except FileNotFoundError:
            return {}

    def start(self) -> None:
        (self.state / "run" / "node-agent.json").unlink(missing_ok=True)
        environment = {**os.environ, "HOST_ONLY_VARIABLE": "not for Pods"}
        log = self.state / "log" / "node-agent.log"
        spec = ProcessSpec("node-agent", self.argv, environment, log, cwd=CHECKOUT)
        self.process = spawn(spec)
        eventually(lambda: self.report, "the agent reports")

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        return stop(self.process, seconds=30)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def pids(self, namespace: str) -> list[int]:
        """Host pids of all processes of a namespace's Pods."""
        pods = self.report.get("pods", [])
        return [pid for pod in pods if pod["namespace"] == namespace for pid in pod["pids"]]


class Cluster:
    """What the tests ask: objects in, statuses and answers out."""

    def __init__(self, client: KubeClient, agent: NodeAgent) -> None:
        self.client = client
        self.agent = agent

    def make(self, *objects: Manifest) -> None:
        for obj in objects:
            self.client.apply(obj)

    def pods(self, namespace: str) -> list[Manifest]:
        return list(self.client.list("v1", "Pod", namespace))

    def pod(self, namespace: str, name: str) -> Manifest:
        """The Pod; empty when there is none."""
        return self.client.find("v1", "Pod", name, namespace) or {}

    def wait_ready(self, namespace: str, name: str) -> Manifest:
        return eventually(
            lambda: (pod := self.pod(namespace, name)) and is_ready(pod) and pod,
            f"Pod {namespace}/{name} is ready: {self.pod(namespace, name).get('status')}",
        )

    def container(self, namespace: str, name: str) -> Manifest:
        """The status of a Pod's first container; empty when there is none yet."""
        statuses = self.pod(namespace, name).get("status", {}).get("containerStatuses") or [{}]
        return dict(statuses[0])

    def events(self, namespace: str, reason: str) -> list[str]:
        found = self.client.list("v1", "Event", namespace)
        return [event["message"] for event in found if event["reason"] == reason]

    def logs(self, namespace: str, name: str, **params: str) -> str:
        """By way of the API server, as `kubectl logs` reads them; empty while there are none."""
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/log"
        return self.client.text(path, params=params)

    def wait_output(self, namespace: str, name: str, text: str) -> str:
        """The Pod's log as soon as it contains `text`."""
        eventually(lambda: self.pod(namespace, name).get("status", {}).get("startTime"), "started")
        eventually(
            lambda: (
                "running" in self.container(namespace, name).get("state", {})
                or self.container(namespace, name).get("lastState")
            ),
            f"{name} runs or ran",
        )
        return eventually(
            lambda: (log := self.logs(namespace, name)) and text in log and log,
            f"{text!r} in the log of {namespace}/{name}",
        )

    def address(self, namespace: str, service: str) -> str:
        return str(self.client.get("v1", "Service", service, namespace)["spec"]["clusterIP"])


def is_ready(pod: Manifest) -> bool:
    conditions = pod.get("status", {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def alive(pids: list[int]) -> list[int]:
    """Which of `pids` still run (a zombie does not)."""
    found = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z":
            found.append(pid)
    return found


def get(url: str) -> str:
    """The body of a GET on a fresh connection; empty when the connection is refused or cut."""
    try:
        return httpx.get(url, timeout=10, trust_env=False).text
    except httpx.TransportError:
        return ""
