"""Kubernetes objects from their making to their end, on the real engine and API server."""

from typing import Any

import pytest

from components.model_server import deployment_spec
from components.model_server_config import ModelServerConfig
from tests.harness.api_server import ApiServer
from tests.harness.engine import Project, config_map, kubernetes

pytestmark = pytest.mark.engine


def deployment(
    namespace: str, *, image: str = "process.local/x:1", app: str = "web"
) -> dict[str, Any]:
    container = {"name": "web", "image": image, "ports": [{"containerPort": 8080}]}
    template = {"metadata": {"labels": {"app": app}}, "spec": {"containers": [container]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": app}}, "template": template}
    metadata = {"name": "web", "namespace": namespace}
    return kubernetes("apps/v1:Deployment", "web", {"metadata": metadata, "spec": spec})


def changed(result: Any) -> dict[str, tuple[str, ...]]:
    """What a run would change, by resource."""
    quiet = ("same", "refresh")
    return {s.name: s.changed for s in result.steps if s.operation not in quiet}


@pytest.mark.slow
def test_a_stack_is_made_stays_is_repaired_and_leaves_nothing(
    project: Project, api_server: ApiServer
) -> None:
    client = api_server.client
    own = kubernetes("core/v1:Namespace", "own", {"metadata": {"name": "lifecycle"}})
    settings = config_map("settings", "lifecycle", {"a": "1"}, dependsOn=["own"])
    web = deployment("lifecycle") | {"dependsOn": ["own"]}
    project.resources(own, settings, web)

    assert project.up().changes == {"create": 5}
    assert client.get("apps/v1", "Deployment", "web", "lifecycle")["spec"]["replicas"] == 0

    # What is found below is all that differs: controllers and defaults are no drift.
    client.patch("apps/v1", "Deployment", "web", {"spec": {"replicas": 2}}, "lifecycle")
    client.delete("v1", "ConfigMap", "settings", "lifecycle")
    found = project.preview("--refresh")
    assert changed(found) == {"settings": (), "web": ("spec.replicas",)}

    project.up("--refresh")
    assert client.get("apps/v1", "Deployment", "web", "lifecycle")["spec"]["replicas"] == 0
    assert client.get("v1", "ConfigMap", "settings", "lifecycle")["data"] == {"a": "1"}
    assert project.preview("--refresh").changed == 0

    project.destroy()
    assert client.find("v1", "Namespace", "lifecycle") is None
    assert project.exported().get("resources", []) == []


def test_somebody_elses_fields_are_no_drift_and_survive_an_update(
    project: Project, api_server: ApiServer, namespace: str
) -> None:
    project.resources(deployment(namespace))
    project.up()
    note = {"metadata": {"annotations": {"by": "a colleague"}}}
    api_server.client.patch("apps/v1", "Deployment", "web", note, namespace)
    assert project.preview("--refresh").changed == 0
    project.resources(deployment(namespace, image="process.local/x:2"))
    assert changed(project.up()) == {"web": ("spec.template.spec.containers[0].image",)}
    live = api_server.client.get("apps/v1", "Deployment", "web", namespace)
    assert live["metadata"]["annotations"]["by"] == "a colleague"
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "process.local/x:2"


def test_what_a_scaler_decided_is_no_drift_and_survives_an_update(
    project: Project, api_server: ApiServer, namespace: str
) -> None:
    """The platform's own Deployment of a model server, as KEDA's HPA leaves it behind."""

    def scaled(image: str) -> dict[str, Any]:
        data = {"engine": "vllm", "model": "qwen3-8b", "gpus": 1, "scaling": {"maxReplicas": 4}}
        config = ModelServerConfig.model_validate(data)
        spec = deployment_spec("web", config)
        spec["template"]["spec"]["containers"][0]["image"] = image
        nobody_runs_it = {"pulumi.com/skipAwait": "true"}
        metadata = {"name": "web", "namespace": namespace, "annotations": nobody_runs_it}
        return kubernetes("apps/v1:Deployment", "web", {"metadata": metadata, "spec": spec})

    project.resources(scaled("process.local/x:1"))
    project.up()
    api_server.client.patch("apps/v1", "Deployment", "web", {"spec": {"replicas": 3}}, namespace)
    assert project.preview("--refresh").changed == 0
    project.resources(scaled("process.local/x:2"))
    (fields,) = changed(project.up("--refresh")).values()
    assert fields == ("spec.template.spec.containers[0].image",)
    live = api_server.client.get("apps/v1", "Deployment", "web", namespace)
    assert live["spec"]["replicas"] == 3


def test_a_field_that_leaves_the_program_leaves_the_object(
    project: Project, api_server: ApiServer, namespace: str
) -> None:
    metadata = {"name": "account", "namespace": namespace}
    labelled = metadata | {"labels": {"keep": "1", "drop": "1"}}
    project.resources(kubernetes("core/v1:ServiceAccount", "account", {"metadata": labelled}))
    project.up()
    kept = metadata | {"labels": {"keep": "1"}}
    project.resources(kubernetes("core/v1:ServiceAccount", "account", {"metadata": kept}))
    project.up()
    live = api_server.client.get("v1", "ServiceAccount", "account", namespace)
    assert live["metadata"]["labels"] == {"keep": "1"}


def test_an_immutable_field_replaces_a_named_object_after_deleting_it(
    project: Project, api_server: ApiServer, namespace: str
) -> None:
    project.resources(deployment(namespace))
    project.up()
    before = api_server.client.get("apps/v1", "Deployment", "web", namespace)
    project.resources(deployment(namespace, app="other"))

    planned = project.preview()
    assert planned.ok, planned.errors
    assert planned.changes.get("replace") == 1
    assert "spec.selector.matchLabels.app (replaces)" in changed(planned)["web"]

    project.up()
    after = api_server.client.get("apps/v1", "Deployment", "web", namespace)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["spec"]["selector"] == {"matchLabels": {"app": "other"}}


def test_an_unnamed_object_keeps_its_name_and_is_replaced_beside_the_old_one(
    project: Project, api_server: ApiServer, namespace: str
) -> None:
    def unnamed(data: dict[str, str]) -> dict[str, Any]:
        properties = {"metadata": {"namespace": namespace}, "data": data}
        return kubernetes("core/v1:ConfigMap", "settings", properties, outputs=["metadata"])

    name = {"exports": {"name": "${settings.metadata.name}"}}
    project.resources(unnamed({"a": "1"}), **name)
    project.up()
    first = project.recorded("settings")["inputs"]["metadata"]["name"]
    assert first.startswith("settings-")
    assert len(first) == len("settings-") + 7
    assert project.preview().changed == 0
    assert project.up().changed == 0

    project.resources(unnamed({"a": "2"}), **name)
    assert project.up().changes["replace"] == 1
    second = project.recorded("settings")["inputs"]["metadata"]["name"]
    assert second != first
    assert api_server.client.find("v1", "ConfigMap", first, namespace) is None
    assert api_server.client.get("v1", "ConfigMap", second, namespace)["data"] == {"a": "2"}


def test_another_address_of_the_same_cluster_replaces_nothing(
    project: Project, api_server: ApiServer, namespace: str
) -> None:
    settings = config_map("settings", namespace, {"a": "1"})
    project.resources(settings)
    project.up()
    copy = project.root / "other-kubeconfig"
    copy.write_text(api_server.kubeconfig.read_text())
    same = {"kubeconfig": str(copy), "clusterIdentifier": "test"}
    project.resources(settings, providers={"kubernetes": same})
    assert project.preview().changes.get("replace", 0) == 0
    other = same | {"clusterIdentifier": "another"}
    project.resources(settings, providers={"kubernetes": other})
    assert project.preview().changes["replace"] == 2, "the provider and what it made"


def test_a_patch_changes_somebody_elses_object_and_never_deletes_it(
    project: Project, api_server: ApiServer, namespace: str
) -> None:
    foreign = {"metadata": {"name": "foreign", "namespace": namespace}, "data": {"a": "1"}}
    api_server.client.create({"apiVersion": "v1", "kind": "ConfigMap"} | foreign)
    metadata = {"name": "foreign", "namespace": namespace, "labels": {"team": "a"}}
    patch = {"kind": "ConfigMap", "metadata": metadata}
    project.resources(kubernetes("core/v1:ConfigMapPatch", "patch", patch))
    project.up()
    live = api_server.client.get("v1", "ConfigMap", "foreign", namespace)
    assert (live["metadata"]["labels"], live["data"]) == ({"team": "a"}, {"a": "1"})
    project.destroy()
    live = api_server.client.get("v1", "ConfigMap", "foreign", namespace)
    assert "labels" not in live["metadata"]
    assert live["data"] == {"a": "1"}


def test_an_object_of_somebody_else_is_not_taken_over(
    project: Project, api_server: ApiServer, namespace: str
) -> None:
    foreign = {"metadata": {"name": "settings", "namespace": namespace}, "data": {"a": "0"}}
    api_server.client.create({"apiVersion": "v1", "kind": "ConfigMap"} | foreign)
    project.resources(config_map("settings", namespace, {"a": "1"}))
    assert "already exists (AlreadyExists)" in project.refused()
    result = project.run("up", "--yes", "--skip-preview")
    assert "already exists (AlreadyExists)" in "\n".join(result.errors)
    assert api_server.client.get("v1", "ConfigMap", "settings", namespace)["data"] == {"a": "0"}

    forced = config_map("settings", namespace, {"a": "1"})
    forced["properties"]["metadata"]["annotations"] = {"pulumi.com/patchForce": "true"}
    project.resources(forced)
    project.up()
    assert api_server.client.get("v1", "ConfigMap", "settings", namespace)["data"] == {"a": "1"}


def test_deletion_waits_for_finalizers_and_says_what_holds_an_object(
    project: Project, api_server: ApiServer, namespace: str
) -> None:
    held = config_map("held", namespace, {"a": "1"})
    held["properties"]["metadata"]["finalizers"] = ["example.com/hold"]
    held["deleteSeconds"] = 1
    project.resources(held)
    project.up()
    result = project.run("destroy", "--yes", "--skip-preview")
    assert not result.ok
    assert f"ConfigMap {namespace}/held was not gone after 1 s (example.com/hold)" in "\n".join(
        result.errors
    )
    free = {"metadata": {"finalizers": None}}
    api_server.client.patch("v1", "ConfigMap", "held", free, namespace)
    project.destroy()
    assert api_server.client.find("v1", "ConfigMap", "held", namespace) is None
