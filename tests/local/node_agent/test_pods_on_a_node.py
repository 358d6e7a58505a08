"""Pods of a real API server run as processes, and `kubectl get pods` tells the truth."""

from typing import Any

import pytest

from tests.local.node_agent.cluster import Cluster, alive, eventually, get, is_ready
from tests.local.node_agent.workloads import (
    config_map,
    container,
    pod,
    secret,
    server,
    shell,
)

pytestmark = pytest.mark.services


def test_the_node_is_ready_and_without_taints(node_cluster: Cluster) -> None:
    node = node_cluster.client.get("v1", "Node", "local")
    assert is_ready(node)
    assert not node["spec"].get("taints")
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"] == "process://0"


def test_a_crash_loop_is_shown_with_its_count_its_end_and_its_last_words(
    node_cluster: Cluster, namespace: str
) -> None:
    spec = shell("echo going down; exit 3", terminationMessagePolicy="FallbackToLogsOnError")
    node_cluster.make(pod(namespace, "crash", spec))
    found = eventually(
        lambda: (
            (c := node_cluster.container(namespace, "crash")).get("restartCount", 0) >= 2
            and c.get("state", {}).get("waiting")
            and c
        ),
        "the container restarts",
    )
    assert found["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    ended = found["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (3, "Error")
    assert ended["message"] == "going down\n"
    eventually(lambda: node_cluster.events(namespace, "BackOff"), "an event says so")
    assert node_cluster.logs(namespace, "crash", previous="true") == "going down\n"


def test_images_that_need_a_container_runtime_wait_with_that_reason(
    node_cluster: Cluster, namespace: str
) -> None:
    node_cluster.make(
        pod(namespace, "nginx", {"name": "main", "image": "nginx:1"}),
        pod(namespace, "bare", {"name": "main", "image": "process.local/x"}),
        pod(namespace, "typo", container("no-such-program")),
    )

    def waiting(name: str) -> dict[str, Any]:
        found = node_cluster.container(namespace, name).get("state", {})
        return dict(found.get("waiting", {}))

    reasons = {
        "nginx": "ImageNotRunnable",
        "bare": "CreateContainerError",
        "typo": "RunContainerError",
    }
    for name, reason in reasons.items():
        eventually(lambda n=name, r=reason: waiting(n).get("reason") == r, f"{name}: {reason}")  # type: ignore[misc] # mypy can't infer defaults of a lambda
        assert waiting(name)["message"]


def test_a_failed_liveness_probe_restarts_the_container(
    node_cluster: Cluster, namespace: str
) -> None:
    probe = {"exec": {"command": ["test", "-f", "/tmp/alive"]}, "periodSeconds": 1}
    spec = shell("touch /tmp/alive; sleep 0.2; rm /tmp/alive; exec sleep 1000")
    spec["livenessProbe"] = probe | {"failureThreshold": 1}
    node_cluster.make(pod(namespace, "live", spec))
    eventually(
        lambda: node_cluster.container(namespace, "live").get("restartCount", 0) >= 1, "a restart"
    )
    messages = eventually(lambda: node_cluster.events(namespace, "Killing"), "an event says why")
    assert messages[0] == "Container main failed liveness probe, will be restarted"


def test_changed_config_maps_and_secrets_reach_running_pods(
    node_cluster: Cluster, namespace: str
) -> None:
    mounts = [
        {"name": "all", "mountPath": "/config"},
        {"name": "all", "mountPath": "/fixed/level", "subPath": "level"},
        {"name": "login", "mountPath": "/var/run/agent/login", "readOnly": True},
    ]
    volumes = [
        {"name": "all", "configMap": {"name": "config"}},
        {"name": "login", "secret": {"secretName": "login"}},
    ]
    node_cluster.make(
        config_map(namespace, "config", level="old"),
        secret(namespace, "login", key="first"),
        pod(namespace, "web", server(volumeMounts=mounts), volumes=volumes),
    )
    status = node_cluster.wait_ready(namespace, "web")["status"]
    url = f"http://{status['podIP']}:8080"
    assert get(f"{url}/config/level") == "old"
    assert get(f"{url}/var/run/agent/login/key") == "first"
    node_cluster.make(
        config_map(namespace, "config", level="new"), secret(namespace, "login", key="second")
    )
    eventually(lambda: get(f"{url}/config/level") == "new", "the ConfigMap's new value")
    eventually(lambda: get(f"{url}/var/run/agent/login/key") == "second", "the Secret's")
    # As in Kubernetes: a file mounted by subPath stays what it was.
    assert get(f"{url}/fixed/level") == "old"


def test_a_pod_waits_for_a_secret_that_is_made_later(node_cluster: Cluster, namespace: str) -> None:
    reference = {"secretKeyRef": {"name": "late", "key": "key"}}
    env = [{"name": "KEY", "valueFrom": reference}]
    node_cluster.make(pod(namespace, "waits", shell("echo key=$KEY; sleep 1000", env=env)))
    waiting = eventually(
        lambda: (
            node_cluster.container(namespace, "waits")
            .get("state", {})
            .get("waiting", {})
            .get("message")
        ),
        "a reason",
    )
    assert waiting == 'secret "late" not found'
    node_cluster.make(secret(namespace, "late", key="s3"))
    assert node_cluster.wait_output(namespace, "waits", "key=") == "key=s3\n"


def test_deleting_a_pod_leaves_no_process_and_no_file(
    node_cluster: Cluster, namespace: str
) -> None:
    script = "(sleep 1000 & sleep 1000 & wait) & sleep 1000"
    node_cluster.make(pod(namespace, "family", shell(script)))
    pids = eventually(
        lambda: len(found := node_cluster.agent.pids(namespace)) >= 5 and found, "all processes"
    )
    uid = node_cluster.pod(namespace, "family")["metadata"]["uid"]
    node_cluster.client.delete("v1", "Pod", "family", namespace)
    eventually(lambda: not node_cluster.pod(namespace, "family"), "the Pod is gone")
    assert not alive(pids)
    assert not (node_cluster.agent.state / "pods" / uid).exists()


def test_a_pod_is_asked_to_stop_before_it_is_killed(node_cluster: Cluster, namespace: str) -> None:
    script = "trap 'cat /data/hook; echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    spec = shell(script, volumeMounts=[{"name": "data", "mountPath": "/data"}])
    hook = ["sh", "-c", "echo hook > /data/hook"]
    spec["lifecycle"] = {"preStop": {"exec": {"command": hook}}}
    node_cluster.make(pod(namespace, "polite", spec, volumes=[{"name": "data", "emptyDir": {}}]))
    node_cluster.wait_output(namespace, "polite", "up")
    log = node_cluster.agent.state / "log" / "pods" / f"{namespace}_polite_main.log"
    node_cluster.client.delete("v1", "Pod", "polite", namespace)
    eventually(lambda: not node_cluster.pod(namespace, "polite"), "the Pod is gone")
    assert log.read_text() == "up\nhook\nbye\n"
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_job_completes_and_init_containers_and_sidecars_come_first(
    node_cluster: Cluster, namespace: str
) -> None:
    mounts = [{"name": "shared", "mountPath": "/shared"}]
    probe = {"exec": {"command": ["test", "-f", "/shared/sidecar"]}, "periodSeconds": 1}
    sidecar = shell(
        "echo up > /shared/sidecar; exec sleep 1000",
        name="sidecar",
        restartPolicy="Always",
        startupProbe=probe,
        volumeMounts=mounts,
    )
    first = shell("echo one > /shared/order", name="first", volumeMounts=mounts)
    main = shell("cat /shared/order /shared/sidecar", volumeMounts=mounts)
    node_cluster.make(
        pod(
            namespace,
            "work",
            main,
            restartPolicy="Never",
            initContainers=[first, sidecar],
            volumes=[{"name": "shared", "emptyDir": {}}],
        )
    )
    eventually(
        lambda: node_cluster.pod(namespace, "work").get("status", {}).get("phase") == "Succeeded",
        "the Pod succeeds",
    )
    assert node_cluster.logs(namespace, "work", container="main") == "one\nup\n"
    eventually(lambda: not node_cluster.agent.pids(namespace), "the sidecar ends with the Pod")
