"""What followers of Tools may do, with tokens of the very accounts that the stack binds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.kube import ApiError, KubeClient
from tests.harness.api_server import ApiServer, token_of
from tests.harness.manifests import manifests

pytestmark = pytest.mark.api_server

NAMESPACE = "ai-agents"
TOOLS = "tools.kagent.dev/v1alpha1"
RBAC = ("ServiceAccount", "Role", "RoleBinding", "CustomResourceDefinition", "Namespace")
BY_EVERYBODY = {"authorization.k8s.io", "authentication.k8s.io"}
"""Groups in which the API server lets every account ask about itself."""
FOLLOWING = ({"tools"}, {"get", "list", "watch"})
REPORTING = ({"tools/status"}, {"patch"})


@pytest.fixture(scope="module")
def ground(api_server: ApiServer) -> ApiServer:
    """Prod's accounts and rights, really made; kagent's own kinds are not among them."""
    for manifest in manifests("prod"):
        if manifest["kind"] in RBAC:
            api_server.client.apply(manifest)
    return api_server


@contextmanager
def account(server: ApiServer, name: str, folder: Path) -> Iterator[KubeClient]:
    """A client with a token of the account, and no other right."""
    data = yaml.safe_load(server.kubeconfig.read_text())
    data["users"][0]["user"] = {"token": token_of(server.client, name, NAMESPACE)}
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(data))
    with KubeClient.from_kubeconfig(file) as client:
        yield client


def rights(client: KubeClient, namespace: str) -> list[tuple[set[str], set[str]]]:
    """Everything that the account may do in a namespace, as the API server itself lists it."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "metadata": {},
        "spec": {"namespace": namespace},
    }
    status = client.create(review)["status"]
    assert not status["incomplete"]
    return [
        (set(rule["resources"]), set(rule["verbs"]))
        for rule in status["resourceRules"]
        if not set(rule["apiGroups"]) & BY_EVERYBODY
    ]


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("customer-support-agent", [FOLLOWING]),
        ("tool-registry", [FOLLOWING, REPORTING]),
    ],
)
def test_a_follower_may_watch_tools_and_nothing_else(
    ground: ApiServer, tmp_path: Path, name: str, allowed: list[Any]
) -> None:
    with account(ground, name, tmp_path) as client:
        found = rights(client, NAMESPACE)
        assert sorted(map(repr, found)) == sorted(map(repr, allowed))
        assert rights(client, "ai-data") == []
        listed = client.list(TOOLS, "Tool", NAMESPACE)
        for event in client.watch(
            TOOLS, "Tool", NAMESPACE, resource_version="0", timeout_seconds=1
        ):
            assert event.type in ("ADDED", "BOOKMARK", "MODIFIED")
        with pytest.raises(ApiError, match="cannot list resource"):
            client.list("v1", "Secret", NAMESPACE)
        for tool in listed[:1]:
            with pytest.raises(ApiError, match="cannot delete resource"):
                client.delete(TOOLS, "Tool", tool["metadata"]["name"], NAMESPACE)


def test_an_account_that_the_stack_does_not_bind_follows_nothing(
    ground: ApiServer, tmp_path: Path
) -> None:
    ground.client.wait("v1", "ServiceAccount", "default", NAMESPACE, until=bool)
    with account(ground, "default", tmp_path) as client:
        assert rights(client, NAMESPACE) == []
        with pytest.raises(ApiError, match="cannot list resource"):
            client.list(TOOLS, "Tool", NAMESPACE)
