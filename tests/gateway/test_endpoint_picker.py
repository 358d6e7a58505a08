"""The real endpoint picker, as the platform starts it, on a real API server and a real Envoy."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml

from components.agentgateway_backends import pool_spec
from components.endpoint_picker import PICKER_PORT, arguments, picker_manifests
from inference.routing import Backend
from local.process import ProcessSpec
from tests.gateway.model_pod import ModelPod, model_pod
from tests.gateway.picker_proxy import picker_proxy
from tests.gateway.plane import Plane, plane, running
from tests.gateway.programs import listens, plain_envoy
from tests.harness.workload import eventually

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(300)]

NAMESPACE = "ai-inference"
BACKEND = Backend(service="vllm-a", picker="vllm-a-picker", port=8000)
DOOR = 10080
"""Of the Envoy that asks the picker, in the private network."""


@dataclass
class Pool:
    """A picker and two Pods of one model server behind an Envoy."""

    url: str
    pods: dict[str, ModelPod]
    plane: Plane

    def ask(self, count: int = 1) -> Counter[str]:
        """How many of `count` questions each Pod answered."""
        found: Counter[str] = Counter()
        with httpx.Client(timeout=30, trust_env=False) as client:
            for number in range(count):
                question = {"model": "m", "messages": [{"role": "user", "content": f"{number}"}]}
                answer = client.post(f"{self.url}/v1/chat/completions", json=question)
                assert answer.status_code == 200, answer.text
                found[answer.json()["backend"]] += 1
        return found


def _picker(made: Plane) -> ProcessSpec:
    """The program of the Deployment, with its arguments and its ServiceAccount's rights."""
    objects = picker_manifests(BACKEND)
    made.apply(each for what, each in objects.items() if what != "deployment")
    (file,) = objects["config"]["data"].items()
    folder = made.state / "picker"
    folder.mkdir()
    (folder / file[0]).write_text(file[1])
    given = [each.replace("/config/", f"{folder}/") for each in arguments(BACKEND)]
    login = made.login(NAMESPACE, str(BACKEND.picker))
    return ProcessSpec(
        name="picker",
        argv=[str(made.tools["epp"]), *given],
        env={"KUBECONFIG": str(login), "NAMESPACE": NAMESPACE, "POD_NAME": "picker", "HOME": "/"},
        log=made.state / "log" / "picker.log",
        ready=listens("127.0.0.1", PICKER_PORT),
        stop_seconds=3.0,
    )


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with ExitStack() as stack:
        try:
            state: Path = tmp_path_factory.mktemp("picker")
            made = stack.enter_context(plane(state, ["inference-extension"]))
        except PermissionError as error:
            pytest.skip(str(error))
        made.apply(
            [
                {
                    "apiVersion": "inference.networking.k8s.io/v1",
                    "kind": "InferencePool",
                    "metadata": {"name": BACKEND.service, "namespace": NAMESPACE},
                    "spec": pool_spec(BACKEND),
                }
            ]
        )
        pods = {
            name: stack.enter_context(
                model_pod(made, BACKEND.service, name, namespace=NAMESPACE, port=BACKEND.port)
            )
            for name in ("idle", "busy")
        }
        stack.enter_context(running(_picker(made)))
        config = picker_proxy("127.0.0.1", DOOR, "127.0.0.1", PICKER_PORT)
        door = plain_envoy(made, "door", yaml.safe_dump(config), ready=listens("127.0.0.1", DOOR))
        stack.enter_context(running(door))
        yield Pool(f"http://127.0.0.1:{DOOR}", pods, made)


def _set(pool: Pool, **waiting: int) -> None:
    """Change how busy the Pods say they are, and wait until the picker has read it twice."""
    for name, count in waiting.items():
        pool.pods[name].waiting = count
        pool.pods[name].cache = min(count / 100, 0.95)
    before = {name: pod.scrapes for name, pod in pool.pods.items()}

    def read() -> bool | None:
        return all(pod.scrapes >= before[name] + 3 for name, pod in pool.pods.items()) or None

    eventually(read, "the picker to read the metrics")


def test_the_pod_with_the_shorter_queue_is_asked(pool: Pool) -> None:
    _set(pool, idle=0, busy=80)
    assert pool.ask(20) == {"idle": 20}
    _set(pool, idle=80, busy=0)
    assert pool.ask(20)["busy"] >= 19, "what the prefix cache remembers must not outweigh the queue"


def test_a_pod_that_is_not_ready_is_not_asked(pool: Pool) -> None:
    _set(pool, idle=0, busy=80)
    client = pool.plane.client

    def ready(status: str) -> None:
        conditions = {"status": {"conditions": [{"type": "Ready", "status": status}]}}
        client.patch(
            "v1", "Pod", "idle", conditions, NAMESPACE, patch_type="merge", subresource="status"
        )

    ready("False")
    eventually(lambda: pool.ask(1) == {"busy": 1} or None, "the picker to leave the Pod out")
    assert pool.ask(10) == {"busy": 10}
    ready("True")
    eventually(lambda: pool.ask(1) == {"idle": 1} or None, "the picker to take the Pod back")


def test_a_pod_that_falls_silent_keeps_what_it_said_last(pool: Pool) -> None:
    _set(pool, idle=10, busy=80)
    pool.pods["busy"].tells = False
    _set(pool, idle=20, busy=0)
    assert pool.ask(20) == {"idle": 20}
    pool.pods["busy"].tells = True
    _set(pool, idle=20, busy=0)
    assert pool.ask(20)["busy"] >= 19


def test_a_pod_that_never_told_counts_as_idle(pool: Pool) -> None:
    """Why a picker belongs before vLLM and SGLang alone: nothing tells silence from idleness."""
    with model_pod(
        pool.plane, BACKEND.service, "silent", namespace=NAMESPACE, port=BACKEND.port, tells=False
    ) as silent:
        pool.pods["silent"] = silent
        try:
            _set(pool, idle=60, busy=80)
            assert pool.ask(20) == {"silent": 20}
            _set(pool, idle=0, busy=80)
            assert set(pool.ask(40)) == {"idle", "silent"}
        finally:
            del pool.pods["silent"]
            pool.plane.client.delete("v1", "Pod", "silent", NAMESPACE)


def test_the_picker_may_read_its_pool_and_nothing_else(pool: Pool) -> None:
    login = pool.plane.login(NAMESPACE, str(BACKEND.picker))
    with pool.plane.client_of(login) as its:
        assert its.list("v1", "Pod", NAMESPACE)
        for kind, place in (("Secret", NAMESPACE), ("ConfigMap", NAMESPACE), ("Pod", "default")):
            with pytest.raises(Exception, match="forbidden"):
                its.list("v1", kind, place)
