"""A Job that gave up is made anew by the next `make up`."""

import pytest

from local.cli.failed_jobs import failure, renew
from local.kube import Manifest
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
