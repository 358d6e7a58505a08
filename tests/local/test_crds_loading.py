from pathlib import Path
from typing import Any

import pytest

from local.crds import Sources, load
from local.crds.sources import FOLDER_VARIABLE
from local.kube import ApiError
from local.paths import Cache
from local.report import Progress, UserError
from tests.harness.api_server import ApiServer

pytestmark = pytest.mark.api_server

LEADER_WORKER_SETS = "leaderworkersets.leaderworkerset.x-k8s.io"
OWN = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: things.example.test}}
spec:
  group: example.test
  scope: Namespaced
  names: {{kind: Thing, plural: things}}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties: {{spec: {{type: object, properties: {{{field}: {{type: string}}}}}}}}
"""


def thing(**spec: Any) -> dict[str, Any]:
    metadata = {"name": "one", "namespace": "default"}
    return {"apiVersion": "example.test/v1", "kind": "Thing", "metadata": metadata, "spec": spec}


def test_a_locked_crd_checks_what_is_written(api_server: ApiServer) -> None:
    api_server.load_crds("podmonitors.monitoring.coreos.com")
    monitor = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {"name": "one", "namespace": "default"},
        "spec": {"selector": {}, "podMetricsEndpoint": [{"port": "metrics"}]},
    }
    with pytest.raises(ApiError, match=r'unknown field "spec\.podMetricsEndpoint"'):
        api_server.dry_run(monitor)
    monitor["spec"] = {"selector": {}, "podMetricsEndpoints": [{"port": "metrics"}]}
    assert api_server.dry_run(monitor)["spec"]["podMetricsEndpoints"][0]["port"] == "metrics"


def test_without_a_source_a_placeholder_is_made_loudly_and_later_replaced(
    api_server: ApiServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "probes.monitoring.coreos.com"
    empty = tmp_path / "empty"
    empty.mkdir()
    with monkeypatch.context() as patched:
        patched.setenv(FOLDER_VARIABLE, str(empty))
        offline = Cache(tmp_path / "cache")
        sources = Sources(offline, network=False)
        progress = Progress(as_json=True)
        (made,) = load(
            api_server.kubeconfig, [name], cache=offline, progress=progress, sources=sources
        )
    assert (made.origin, made.changed) == ("placeholder", True)
    assert "PLACEHOLDER CRDs, which accept any body, for Probe" in capsys.readouterr().err
    probe = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Probe",
        "metadata": {"name": "one", "namespace": "default"},
        "spec": {"anything": ["goes"]},
    }
    assert api_server.dry_run(probe)["spec"] == {"anything": ["goes"]}

    (real,) = load(api_server.kubeconfig, [name], progress=Progress(as_json=True))
    if real.origin == "placeholder":
        pytest.skip("no source has the schema of Probe")
    assert real.changed
    found = api_server.client.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)
    schema = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert "prober" in schema["properties"]["spec"]["properties"]


def test_a_placeholder_of_a_protected_group_is_accepted(
    api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    offline = Cache(tmp_path / "cache")
    sources = Sources(offline, network=False)
    loaded = load(
        api_server.kubeconfig,
        ["tlsroutes.gateway.networking.k8s.io", LEADER_WORKER_SETS],
        cache=offline,
        progress=Progress(as_json=True),
        sources=sources,
    )
    assert [crd.origin for crd in loaded] == ["placeholder", "placeholder"]


def test_a_crd_of_our_own_is_loaded_by_path_and_follows_its_file(
    api_server: ApiServer, tmp_path: Path
) -> None:
    file = tmp_path / "thing.yaml"
    cache = Cache(tmp_path / "cache")
    file.write_text(OWN.format(field="before"))
    (first,) = load(api_server.kubeconfig, [file], cache=cache)
    (again,) = load(api_server.kubeconfig, [file], cache=cache)
    assert (first.origin, first.changed, again.changed) == ("own", True, False)
    api_server.dry_run(thing(before="x"))
    file.write_text(OWN.format(field="after"))
    (changed,) = load(api_server.kubeconfig, [file], cache=cache)
    assert changed.changed
    with pytest.raises(ApiError, match=r'unknown field "spec\.missing"'):
        api_server.dry_run(thing(missing="x"))


def test_what_is_wrong_with_an_own_file_is_one_line(api_server: ApiServer, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    file = tmp_path / "thing.yaml"
    for content, said in (
        ("a: [", "not YAML"),
        ("kind: Other", "holds no CustomResourceDefinition"),
        (OWN.format(field="x").replace("plural: things", "plural: other"), "refuses it"),
    ):
        file.write_text(content)
        with pytest.raises(UserError, match=said) as refused:
            load(api_server.kubeconfig, [file], cache=cache)
        assert len(str(refused.value).splitlines()) == 1
    with pytest.raises(UserError, match="can't be read: No such file"):
        load(api_server.kubeconfig, [tmp_path / "absent.yaml"], cache=cache)
