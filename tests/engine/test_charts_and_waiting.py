"""What the Kubernetes stand-in can't do offline, and what it does only on request."""

import threading
from typing import Any

import pytest

from tests.harness.api_server import ApiServer
from tests.harness.engine import Project, kubernetes

pytestmark = pytest.mark.engine


def test_charts_and_remote_files_are_recorded_and_said_to_be(
    project: Project, namespace: str
) -> None:
    values = {"replicas": 2, "auth": {"password": "hunter2-hunter2"}}
    chart = {"chart": "valkey", "version": "1.2.3", "namespace": namespace, "values": values}
    release = kubernetes(
        "helm.sh/v3:Release", "store", chart, outputs=["status"], secrets=["values.auth.password"]
    )
    file = kubernetes("yaml/v2:ConfigFile", "crds", {"file": "https://example.com/a.yaml"})
    project.resources(release, file | {"remote": True})
    result = project.up()
    assert any(n.startswith("recorded, not installed") for n in result.notices)
    assert any(n.startswith("recorded, not rendered") for n in result.notices)
    store = project.recorded("store")
    assert store["id"] == f"{namespace}/valkey"
    assert store["outputs"]["status"]["version"] == "1.2.3"
    assert store["outputs"]["values"]["replicas"] == 2
    assert "hunter2" not in str(project.exported())
    assert project.preview("--refresh").changed == 0
    chart["version"] = "1.2.4"
    project.resources(
        kubernetes("helm.sh/v3:Release", "store", chart, secrets=["values.auth.password"]),
        file | {"remote": True},
    )
    assert [s.changed for s in project.preview().steps if s.operation == "update"] == [("version",)]
    project.destroy()


def test_an_update_waits_for_readiness_only_when_asked(
    project: Project, api_server: ApiServer, namespace: str
) -> None:
    template = {"containers": [{"name": "main", "image": "process.local/x:1"}]}
    spec = {"template": {"spec": template | {"restartPolicy": "Never"}}, "suspend": True}
    metadata: dict[str, Any] = {"name": "work", "namespace": namespace}
    job = {"metadata": metadata, "spec": spec}
    project.resources(kubernetes("batch/v1:Job", "work", job))
    project.up()

    metadata["name"] = "late"
    metadata["annotations"] = {"pulumi.com/timeoutSeconds": "1"}
    project.resources(kubernetes("batch/v1:Job", "work", job))
    result = project.run("up", "--yes", "--skip-preview", AGENTIC_STANDIN_AWAIT="1")
    assert "Job late: after 1 s it has not succeeded" in "\n".join(result.errors)

    metadata["annotations"] = {"pulumi.com/timeoutSeconds": "60"}
    project.resources(kubernetes("batch/v1:Job", "work", job))
    worker = threading.Thread(target=finish, args=(api_server, namespace))
    worker.start()
    project.up(AGENTIC_STANDIN_AWAIT="1")
    worker.join()


def finish(api_server: ApiServer, namespace: str) -> None:
    """Report the Job as done, as its controller would once its Pod had ended."""
    client = api_server.client
    client.wait("batch/v1", "Job", "late", namespace, until=bool)
    status = {"status": {"succeeded": 1}}
    client.patch("batch/v1", "Job", "late", status, namespace, subresource="status")
