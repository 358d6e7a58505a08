from pathlib import Path
from typing import Any

import pytest

from local.kube import ApiError, ApiUnreachable, KubeClient, UnknownKind
from local.kubeconfig import Kubeconfig
from local.report import UserError
from tests.harness.api_server import ApiServer

pytestmark = pytest.mark.api_server


def config_map(name: str, namespace: str, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": {"kind": "test"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


@pytest.fixture
def namespace(api_server: ApiServer, request: pytest.FixtureRequest) -> str:
    return api_server.namespace(f"kube-{abs(hash(request.node.name)) % 10**8}")


@pytest.fixture
def client(api_server: ApiServer) -> KubeClient:
    return api_server.client


def test_an_object_lives_from_create_to_delete(client: KubeClient, namespace: str) -> None:
    client.create(config_map("one", namespace, a="1"))
    with pytest.raises(ApiError) as twice:
        client.create(config_map("one", namespace))
    assert (twice.value.status, twice.value.reason) == (409, "AlreadyExists")
    client.patch("v1", "ConfigMap", "one", {"data": {"b": "2"}}, namespace)
    assert client.get("v1", "ConfigMap", "one", namespace)["data"] == {"a": "1", "b": "2"}
    assert client.delete("v1", "ConfigMap", "one", namespace)
    assert not client.delete("v1", "ConfigMap", "one", namespace)
    assert client.find("v1", "ConfigMap", "one", namespace) is None


def test_lists_go_over_all_pages_and_name_their_kind(client: KubeClient, namespace: str) -> None:
    for number in range(3):
        client.create(config_map(f"one-{number}", namespace))
    path = client.path("v1", "ConfigMap", namespace)
    page = client.request("GET", path, params={"limit": "2"})
    assert page["metadata"]["continue"]
    found = client.list("v1", "ConfigMap", namespace, label_selector="kind=test")
    assert [item["metadata"]["name"] for item in found] == ["one-0", "one-1", "one-2"]
    assert found[0]["kind"] == "ConfigMap"
    assert found.resource_version
    selected = client.list("v1", "ConfigMap", namespace, field_selector="metadata.name=one-1")
    assert len(selected) == 1


def test_a_watch_goes_on_where_the_list_ended(client: KubeClient, namespace: str) -> None:
    client.create(config_map("before", namespace))
    seen = client.list("v1", "ConfigMap", namespace).resource_version
    client.create(config_map("after", namespace))
    client.delete("v1", "ConfigMap", "before", namespace)
    changes = []
    for event in client.watch("v1", "ConfigMap", namespace, resource_version=seen):
        name = event.object["metadata"].get("name")
        # A controller manager, which other tests start, adds a ConfigMap of its own at any time.
        if name in {"before", "after"}:
            changes.append((event.type, name))
        if len(changes) == 2:
            break
    assert changes == [("ADDED", "after"), ("DELETED", "before")]


def test_a_watch_that_the_server_refuses_is_an_error(client: KubeClient, namespace: str) -> None:
    watch = client.watch("v1", "ConfigMap", namespace, resource_version="not-a-version")
    with pytest.raises(ApiError, match='resourceVersion: Invalid value: "not-a-version"'):
        next(watch)


def test_a_watch_ends_by_itself(client: KubeClient, namespace: str) -> None:
    events = list(client.watch("v1", "Secret", namespace, timeout_seconds=1))
    assert {event.type for event in events} <= {"BOOKMARK"}


def test_conflicts_of_server_side_apply_are_named(client: KubeClient, namespace: str) -> None:
    client.apply(config_map("one", namespace, a="1"), "first")
    with pytest.raises(ApiError) as conflict:
        client.apply(config_map("one", namespace, a="2"), "second", force=False)
    assert conflict.value.status == 409
    assert conflict.value.causes[0].field == ".data.a"
    assert client.apply(config_map("one", namespace, a="2"), "second")["data"] == {"a": "2"}


def test_an_old_version_is_not_written_over_a_newer_one(client: KubeClient, namespace: str) -> None:
    old = client.create(config_map("one", namespace))
    client.patch("v1", "ConfigMap", "one", {"data": {"a": "1"}}, namespace)
    with pytest.raises(ApiError) as refused:
        client.replace(old)
    assert refused.value.reason == "Conflict"


def test_every_refused_field_is_a_cause(client: KubeClient, namespace: str) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "one", "namespace": namespace},
        "spec": {"ports": [{"port": 70000}, {"port": 80, "name": "Web"}]},
    }
    with pytest.raises(ApiError) as refused:
        client.create(service, dry_run=True)
    fields = {cause.field for cause in refused.value.causes}
    assert {"spec.ports[0].port", "spec.ports[0].name", "spec.ports[1].name"} <= fields


def test_a_dry_run_leaves_nothing(client: KubeClient, namespace: str) -> None:
    client.create(config_map("one", namespace), dry_run=True)
    client.apply(config_map("two", namespace), dry_run=True)
    assert client.list("v1", "ConfigMap", namespace, label_selector="kind=test") == []


def test_an_unknown_kind_is_told_from_a_missing_object(client: KubeClient) -> None:
    with pytest.raises(UnknownKind, match=r"no kind Gadget in example\.test/v9"):
        client.get("example.test/v9", "Gadget", "one")
    with pytest.raises(UnknownKind):
        client.get("v1", "Gadget", "one")
    assert client.find("example.test/v9", "Gadget", "one") is None


def test_cluster_scoped_and_namespaced_paths(client: KubeClient) -> None:
    assert client.path("v1", "Namespace", "ignored", "x") == "/api/v1/namespaces/x"
    assert client.path("apps/v1", "Deployment") == "/apis/apps/v1/deployments"
    assert (
        client.path("apps/v1", "Deployment", None, "x")
        == "/apis/apps/v1/namespaces/default/deployments/x"
    )


def test_no_api_server_is_said_without_a_status(tmp_path: Path) -> None:
    with KubeClient(Kubeconfig("https://127.0.0.1:9")) as client:
        with pytest.raises(ApiUnreachable, match=r"https://127\.0\.0\.1:9") as refused:
            client.text("/readyz")
        assert refused.value.status == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"no kubeconfig there .* run `make up`"),
        ("a: [", "broken YAML"),
        ("[]", "no mapping at the top"),
        ("current-context: x", r"no entry 'x' in `contexts` \(there: none\)"),
        (
            "{current-context: x, contexts: [{name: x, context: {cluster: c, user: u}}],"
            " clusters: [{name: c, cluster: {server: s}}], users: [{name: u, user: {exec: {}}}]}",
            "logs in with `exec`",
        ),
    ],
)
def test_what_is_wrong_with_a_kubeconfig_is_one_line(
    content: str | None, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "kubeconfig"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UserError, match=said) as refused:
        Kubeconfig.read(file)
    assert len(refused.value.lines) == 1


def test_a_written_kubeconfig_reads_back(tmp_path: Path) -> None:
    written = Kubeconfig("https://127.0.0.1:6443", "CA", token="t")
    written.write(tmp_path / "kubeconfig", context="local", user="admin")
    assert Kubeconfig.read(tmp_path / "kubeconfig") == written
    assert (tmp_path / "kubeconfig").stat().st_mode & 0o777 == 0o600
