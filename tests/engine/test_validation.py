"""A preview says what the API server would say, and what it could not ask."""

import json

import pytest

from tests.harness.api_server import ApiServer
from tests.harness.engine import Project, config_map, kubernetes

pytestmark = pytest.mark.engine


def test_one_preview_shows_the_api_servers_words_on_every_bad_object(
    project: Project, namespace: str
) -> None:
    misspelt = config_map("misspelt", namespace, {"a": "1"})
    misspelt["properties"]["dat"] = misspelt["properties"].pop("data")
    metadata = {"name": "port", "namespace": namespace}
    port = {"metadata": metadata, "spec": {"ports": [{"port": 99999}]}}
    metadata = {"name": "Upper", "namespace": namespace}
    project.resources(
        misspelt,
        kubernetes("core/v1:Service", "port", port),
        kubernetes("core/v1:ConfigMap", "upper", {"metadata": metadata}),
        config_map("good", namespace, {"a": "1"}),
    )
    said = project.refused()
    assert f"ConfigMap {namespace}/misspelt" in said
    assert ".dat: field not declared in schema" in said
    assert "spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535" in said
    assert "a lowercase RFC 1123 subdomain must consist of" in said
    assert "the API server refused 3 object(s)" in said
    assert "good" not in said


def test_an_update_of_a_bad_object_is_refused_too(project: Project, namespace: str) -> None:
    project.resources(config_map("settings", namespace, {"a": "1"}))
    project.up()
    bad = config_map("settings", namespace, {"a": "1"})
    bad["properties"]["metadata"]["labels"] = {"app": "not a label!"}
    project.resources(bad)
    assert "metadata.labels: Invalid value" in project.refused()
    result = project.run("up", "--yes", "--skip-preview")
    assert not result.ok
    assert "metadata.labels: Invalid value" in "\n".join(result.errors)


def test_a_preview_says_how_far_each_object_could_be_checked(project: Project) -> None:
    own = kubernetes("core/v1:Namespace", "own", {"metadata": {"name": "not-there-yet"}})
    inside = config_map("inside", "not-there-yet", {"a": "1"})
    metadata = {"name": "gadget", "namespace": "default"}
    gadget = kubernetes("example.com/v1:Gadget", "gadget", {"metadata": metadata, "spec": {"a": 1}})
    unknown = config_map("unknown", "default", {"id": "${own.id}"})
    project.resources(own, inside, gadget, unknown)
    report = project.root / "report"
    result = project.preview(AGENTIC_STANDIN_REPORT=str(report))
    assert result.ok, result.errors
    verdicts = {v["object"]: v["verdict"] for v in map(json.loads, report.read_text().splitlines())}
    assert verdicts == {
        "Namespace not-there-yet": "checked",
        "ConfigMap not-there-yet/inside": "schema",
        "Gadget default/gadget": "unknown-kind",
        "ConfigMap default/unknown": "unknown-values",
    }
    assert any("no CRD loaded" in notice for notice in result.notices)


def test_a_bad_object_in_a_namespace_to_come_is_found(project: Project) -> None:
    bad = config_map("bad", "not-there-yet", {"a": "1"})
    bad["properties"]["metadata"]["labels"] = {"app": "not a label!"}
    project.resources(bad)
    assert "metadata.labels: Invalid value" in project.refused()


@pytest.mark.slow  # an API server takes its time to take a kind away: 17 s of waiting
def test_an_object_may_follow_its_crd_in_one_update(
    project: Project, api_server: ApiServer, namespace: str
) -> None:
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget"}
    spec = {"type": "object", "properties": {"size": {"type": "integer", "maximum": 3}}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    crd = {
        "metadata": {"name": "widgets.example.org"},
        "spec": {
            "group": "example.org",
            "scope": "Namespaced",
            "names": names,
            "versions": [version],
        },
    }
    definition = kubernetes("apiextensions.k8s.io/v1:CustomResourceDefinition", "crd", crd)
    metadata = {"name": "one", "namespace": namespace}
    widget = {"metadata": metadata, "spec": {"size": 1}}
    entry = kubernetes("example.org/v1:Widget", "widget", widget, dependsOn=["crd"])
    project.resources(definition, entry)
    project.up()
    live = api_server.client.get("example.org/v1", "Widget", "one", namespace)
    assert live["spec"] == {"size": 1}
    entry["properties"]["spec"] = {"size": 4}
    project.resources(definition, entry)
    assert "should be less than or equal to 3" in project.refused()
    project.destroy()
    assert api_server.client.find("example.org/v1", "Widget", "one", namespace) is None


def test_a_warning_of_the_api_server_reaches_the_reader(project: Project, namespace: str) -> None:
    metadata = {"name": "web", "namespace": namespace}
    duplicate = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    container = {"name": "web", "image": "process.local/x:1", "env": duplicate}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    project.resources(kubernetes("apps/v1:ReplicaSet", "web", {"metadata": metadata, "spec": spec}))
    result = project.preview()
    said = "\n".join([*result.notices, *result.errors])
    assert "duplicate" in said.lower() or "hides previous definition" in said
