"""What gave up, or pauses after failures, is made anew by the next `make up`."""

import pytest

from local.cli.crash_loops import restart
from local.cli.failed_jobs import failure, renew
from local.kube import KubeClient, Manifest
from tests.harness.api_server import ApiServer

pytestmark = pytest.mark.api_server

SELECTOR = "test=failed-jobs"


def job(namespace: str, **spec: object) -> Manifest:
    container = {"name": "work", "image": "example.com/nothing:1"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "ingest",
            "namespace": namespace,
            "labels": {"test": "failed-jobs"},
            "annotations": {"pulumi.com/stand-in": "pulumi-ingest"},
        },
        "spec": {"template": template, **spec},
    }


def test_a_job_that_gave_up_is_made_anew_as_its_makers_own(api_server: ApiServer) -> None:
    client = api_server.client
    namespace = api_server.namespace("failed-jobs")
    client.apply(job(namespace, activeDeadlineSeconds=1), field_manager="pulumi-ingest")
    first = client.wait(
        "batch/v1", "Job", "ingest", namespace, until=lambda it: bool(it and failure(it))
    )
    assert first is not None
    assert "DeadlineExceeded" in str(failure(first))
    assert renew(client, SELECTOR) == ["failed-jobs/ingest"]
    second = client.get("batch/v1", "Job", "ingest", namespace)
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert second["spec"]["activeDeadlineSeconds"] == 1
    managers = {entry["manager"] for entry in second["metadata"]["managedFields"]}
    assert "pulumi-ingest" in managers


def test_a_job_that_goes_on_is_left_alone(api_server: ApiServer) -> None:
    client = api_server.client
    namespace = api_server.namespace("waiting-jobs")
    made = client.apply(job(namespace))
    assert renew(client, SELECTOR) == []
    found = client.get("batch/v1", "Job", "ingest", namespace)
    assert found["metadata"]["uid"] == made["metadata"]["uid"]
    client.delete("batch/v1", "Job", "ingest", namespace)


def crashed(client: KubeClient, namespace: str, owner: str) -> Manifest:
    """The owner's Pod, as the node reports one whose container crashes again and again."""
    pods = f"/api/v1/namespaces/{namespace}/pods"

    def of_owner() -> Manifest | None:
        found = client.list("v1", "Pod", namespace)
        mine = [pod for pod in found if pod["metadata"]["ownerReferences"][0]["name"] == owner]
        return mine[0] if mine else None

    pod = client.wait("v1", "Namespace", namespace, until=lambda _: bool(of_owner())) and of_owner()
    assert pod is not None
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}
    entry = {"name": "work", "image": "", "imageID": "", "ready": False, "restartCount": 7}
    status = {"phase": "Running", "containerStatuses": [entry | {"state": waiting}]}
    path = f"{pods}/{pod['metadata']['name']}/status"
    media = "application/merge-patch+json"
    return client.request("PATCH", path, body={"status": status}, media=media)


def test_a_job_that_pauses_after_crashes_starts_at_once(api_server: ApiServer) -> None:
    client = api_server.client
    namespace = api_server.namespace("pausing-jobs")
    made = job(namespace)
    made["spec"]["template"]["spec"]["restartPolicy"] = "OnFailure"
    first = client.apply(made)
    crashed(client, namespace, "ingest")
    assert renew(client, SELECTOR) == [f"{namespace}/ingest"]
    second = client.get("batch/v1", "Job", "ingest", namespace)
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    client.delete("batch/v1", "Job", "ingest", namespace)


def test_a_pod_that_pauses_after_crashes_gives_way_to_a_new_one(api_server: ApiServer) -> None:
    client = api_server.client
    namespace = api_server.namespace("crash-loops")
    labels = {"app": "web"}
    container = {"name": "work", "image": "example.com/nothing:1"}
    spec = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    metadata = {"name": "web", "namespace": namespace}
    client.apply(
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec}
    )
    pod = crashed(client, namespace, "web")
    assert restart(client) == [f"{namespace}/{pod['metadata']['name']}"]
    assert restart(client) == []
    client.delete("apps/v1", "ReplicaSet", "web", namespace)
