"""Secrets stay secret: in state, in output, in the checkout's files."""

import base64
import json
from pathlib import Path

import pytest

from tests.harness.api_server import ApiServer
from tests.harness.engine import Project, config_map, kubernetes

pytestmark = pytest.mark.engine

PASSWORD = "correct-horse-battery-staple"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def traces(folder: Path, text: str) -> list[Path]:
    return [
        file for file in folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes()
    ]


def test_nothing_secret_lies_in_clear_in_state_or_output(
    project: Project, api_server: ApiServer, namespace: str
) -> None:
    metadata = {"name": "auth", "namespace": namespace}
    plain = {"metadata": metadata, "stringData": {"password": PASSWORD}}
    auth = kubernetes("core/v1:Secret", "auth", plain, outputs=["data"])
    env = [{"name": "TOKEN", "value": PASSWORD}]
    container = {"name": "web", "image": "process.local/x:1", "env": env}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    path = "spec.template.spec.containers.0.env.0.value"
    web = kubernetes(
        "apps/v1:Deployment",
        "web",
        {"metadata": {"name": "web", "namespace": namespace}, "spec": spec},
        secrets=[path],
    )
    document = [auth, web]
    project.resources(*document, exports={"data": "${auth.data}"})
    shown = [project.preview(), project.up(), project.preview("--refresh"), project.up("--refresh")]

    live = api_server.client.get("v1", "Secret", "auth", namespace)
    assert live["data"] == {"password": encoded(PASSWORD)}
    state = project.state.pulumi_state
    for text in (PASSWORD, encoded(PASSWORD)):
        assert traces(state, text) == []
        for result in shown:
            assert text not in repr(result)
    assert "ciphertext" in json.dumps(project.recorded("auth")["outputs"]["data"])
    assert project.preview("--refresh").changed == 0


def test_drift_in_a_secret_is_found_and_stays_secret(
    project: Project, api_server: ApiServer, namespace: str
) -> None:
    metadata = {"name": "auth", "namespace": namespace}
    project.resources(
        kubernetes("core/v1:Secret", "auth", {"metadata": metadata, "stringData": {"p": PASSWORD}})
    )
    project.up()
    tampered = {"data": {"p": encoded("tampered-with-by-hand")}}
    api_server.client.patch("v1", "Secret", "auth", tampered, namespace)
    found = project.preview("--refresh")
    assert [s.name for s in found.steps if s.operation == "replace"] == ["auth"]
    project.up("--refresh")
    live = api_server.client.get("v1", "Secret", "auth", namespace)
    assert live["data"] == {"p": encoded(PASSWORD)}
    assert traces(project.state.pulumi_state, "tampered-with-by-hand") == []


def test_a_key_that_leaves_string_data_leaves_the_secret(
    project: Project, api_server: ApiServer, namespace: str
) -> None:
    mutable = {"kubeconfig": str(project.kubeconfig), "enableSecretMutable": True}
    for texts in ({"a": "1", "b": "2"}, {"a": "1"}):
        properties = {"metadata": {"name": "auth", "namespace": namespace}, "stringData": texts}
        project.resources(
            kubernetes("core/v1:Secret", "auth", properties), providers={"kubernetes": mutable}
        )
        project.up()
    live = api_server.client.get("v1", "Secret", "auth", namespace)
    assert live["data"] == {"a": encoded("1")}


def test_no_run_touches_a_stack_file(project: Project, namespace: str) -> None:
    before = project.stack_file.read_bytes()
    project.resources(config_map("settings", namespace, {"a": "1"}))
    project.up()
    project.preview()
    project.destroy()
    assert project.stack_file.read_bytes() == before
    passphrase = project.state.root / "pulumi" / "passphrase"
    assert passphrase.stat().st_mode & 0o077 == 0
