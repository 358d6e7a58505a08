"""Deployments, StatefulSets and Services: the right Pods answer, under the right names."""

from typing import Any

import pytest

from tests.local.node_agent.cluster import Cluster, alive, eventually, get, is_ready
from tests.local.node_agent.workloads import (
    config_map,
    deployment,
    pod,
    server,
    service,
    shell,
    stateful_set,
)

pytestmark = pytest.mark.services


def test_a_deployment_runs_and_its_service_reaches_every_pod(
    node_cluster: Cluster, namespace: str
) -> None:
    node_cluster.make(
        deployment(namespace, "web", 2, server()),
        service(namespace, "web", ports=[{"port": 80, "targetPort": "http"}]),
    )

    def ready_pods() -> list[dict[str, Any]]:
        return [p for p in node_cluster.pods(namespace) if is_ready(p)]

    pods = eventually(lambda: len(found := ready_pods()) == 2 and found, "two Pods are ready")
    assert {p["status"]["phase"] for p in pods} == {"Running"}
    # The same port on two addresses of one machine.
    assert len({p["status"]["podIP"] for p in pods}) == 2
    names = {p["metadata"]["name"] for p in pods}
    url = f"http://{node_cluster.address(namespace, 'web')}"
    answers: set[str] = set()

    def all_have_answered() -> bool:
        answers.add(get(url))
        return answers >= names

    eventually(all_have_answered, "both Pods answer")
    available = node_cluster.client.wait(
        "apps/v1",
        "Deployment",
        "web",
        namespace,
        until=lambda found: bool(found and found["status"].get("availableReplicas") == 2),
    )
    assert available


def test_a_load_balancer_gets_the_node_s_address(node_cluster: Cluster, namespace: str) -> None:
    node_cluster.make(
        pod(namespace, "web", server()),
        service(namespace, "web", type="LoadBalancer", ports=[{"port": 18099, "targetPort": 8080}]),
    )
    ingress = eventually(
        lambda: node_cluster.client.get("v1", "Service", "web", namespace)["status"][
            "loadBalancer"
        ].get("ingress"),
        "an address in the status",
    )
    url = f"http://{ingress[0]['ip']}:18099"
    assert eventually(lambda: get(url), "an answer at the node") == "web"


def test_an_unready_pod_gets_no_traffic_until_its_probe_passes(
    node_cluster: Cluster, namespace: str
) -> None:
    probe = {"exec": {"command": ["test", "-f", "/etc/agent/ready"]}, "periodSeconds": 1}
    spec = server(readinessProbe=probe, volumeMounts=[{"name": "c", "mountPath": "/etc/agent"}])
    node_cluster.make(
        config_map(namespace, "config", other="x"),
        pod(namespace, "web", spec, volumes=[{"name": "c", "configMap": {"name": "config"}}]),
        service(namespace, "web"),
    )
    started = eventually(
        lambda: (c := node_cluster.container(namespace, "web")).get("started") and c,
        "the container has started",
    )
    assert started["ready"] is False
    address = node_cluster.pod(namespace, "web")["status"]["podIP"]
    eventually(lambda: get(f"http://{address}:8080"), "the process itself answers")
    url = f"http://{node_cluster.address(namespace, 'web')}:8080"
    assert get(url) == ""
    eventually(lambda: node_cluster.events(namespace, "Unhealthy"), "an event says so")
    node_cluster.make(config_map(namespace, "config", ready="yes"))
    node_cluster.wait_ready(namespace, "web")
    assert eventually(lambda: get(url), "the Service answers") == "web"
    node_cluster.make(config_map(namespace, "config", other="x"))
    eventually(lambda: get(url) == "", "the Service refuses again")
    assert node_cluster.container(namespace, "web")["restartCount"] == 0


def test_a_rollout_replaces_pods_and_leaves_none_of_the_old_processes(
    node_cluster: Cluster, namespace: str
) -> None:
    node_cluster.make(deployment(namespace, "web", 1, server()), service(namespace, "web"))
    first = eventually(
        lambda: [p["metadata"]["name"] for p in node_cluster.pods(namespace) if is_ready(p)],
        "the first Pod",
    )
    old = eventually(lambda: node_cluster.agent.pids(namespace), "its processes")
    changed = server()
    changed["env"] = [*changed["env"], {"name": "VERSION", "value": "2"}]
    node_cluster.make(deployment(namespace, "web", 1, changed))
    names = eventually(
        lambda: (
            (n := [p["metadata"]["name"] for p in node_cluster.pods(namespace)]) != first
            and len(n) == 1
            and n
        ),
        "one new Pod alone",
    )
    assert not alive(old)
    url = f"http://{node_cluster.address(namespace, 'web')}:8080"
    assert eventually(lambda: get(url), "an answer") == names[0]


def test_a_stateful_set_keeps_its_data_and_its_name(node_cluster: Cluster, namespace: str) -> None:
    script = "echo started >> /data/starts; cat /etc/hosts; wc -l < /data/starts; exec sleep 1000"
    spec = shell(script, volumeMounts=[{"name": "data", "mountPath": "/data"}])
    node_cluster.make(
        service(namespace, "db", clusterIP="None"),
        stateful_set(namespace, "db", spec),
    )
    node_cluster.wait_output(namespace, "db-0", "1\n")
    first = node_cluster.pod(namespace, "db-0")["metadata"]["uid"]
    node_cluster.client.delete("v1", "Pod", "db-0", namespace)
    eventually(
        lambda: node_cluster.pod(namespace, "db-0").get("metadata", {}).get("uid", first) != first,
        "a new Pod",
    )
    assert node_cluster.wait_output(namespace, "db-0", "2\n")
    node_cluster.make(pod(namespace, "peer", shell("while :; do cat /etc/hosts; sleep 0.2; done")))
    address = node_cluster.wait_ready(namespace, "db-0")["status"]["podIP"]
    line = f"{address}\tdb-0.db.{namespace}.svc.cluster.local"
    node_cluster.wait_output(namespace, "peer", line)
