"""The drains on a real API server: real finalizers, and a small controller that takes them away."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from components.cluster_client import ClusterClient
from components.drain import Kind, TeardownConfig
from components.drain_hooks import HOOKS, Deletion, Teardown, run_hook
from components.drain_nodes import DEADLINE
from components.drain_run import DrainError
from tests.harness.api_server import ApiServer
from tests.harness.finalizers import FINALIZER, Finalizers, free

pytestmark = pytest.mark.api_server

KARPENTER = (
    ("karpenter.sh/v1", "NodePool"),
    ("karpenter.sh/v1", "NodeClaim"),
    ("karpenter.k8s.aws/v1", "EC2NodeClass"),
)
MARK = "drained"
"""Begins the names of this file's objects: the server is shared with other tests."""


class Own(ClusterClient):
    """The real client, blind to the objects of other tests."""

    def list(self, kind: Kind) -> list[Mapping[str, Any]]:
        return [it for it in super().list(kind) if it["metadata"]["name"].startswith(MARK)]


def run(
    server: ApiServer, hook: str, inputs: dict[str, Any] | None = None, **config: Any
) -> list[str]:
    """One drain; returns what it told."""
    said: list[str] = []
    teardown = Teardown(TeardownConfig(**config), retain=False, tell=said.append)
    with Own(json.dumps(yaml.safe_load(server.kubeconfig.read_text()))) as cluster:
        HOOKS[hook](teardown, cluster, Deletion("pool", "kubernetes:x", inputs or {}))
    return said


@pytest.fixture
def namespace(api_server: ApiServer) -> Iterator[str]:
    name = api_server.namespace(MARK)
    yield name
    for each in api_server.client.list("v1", "Service", name):
        free(api_server.client, "v1", "Service", each)
    api_server.client.delete("v1", "Namespace", name)


def door(namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"{MARK}-door", "namespace": namespace, "finalizers": [FINALIZER]},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
    }


def test_a_service_goes_once_its_controller_has_cleaned_up(
    api_server: ApiServer, namespace: str
) -> None:
    client = api_server.client
    client.create(door(namespace))
    with Finalizers(client, ("v1", "Service")) as seen:
        said = run(api_server, "drain-load-balancers")
    assert seen.kinds == ["Service"]
    assert client.find("v1", "Service", f"{MARK}-door", namespace) is None
    assert said == [f"waiting for Service {namespace}/{MARK}-door to go"]

    # Another stack still has it, by the field manager that the server wrote down.
    client.apply(door(namespace), "pulumi-kubernetes-0a1b2c3d")
    with pytest.raises(DrainError, match="belongs to a stack"):
        run(api_server, "drain-load-balancers")
    live = client.get("v1", "Service", f"{MARK}-door", namespace)
    assert "deletionTimestamp" not in live["metadata"]


def karpenter_object(version: str, kind: str) -> dict[str, Any]:
    reference = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": MARK}
    node = {"nodeClassRef": reference, "requirements": []}
    terms = [{"tags": {"karpenter.sh/discovery": "x"}}]
    specs: dict[str, Any] = {
        "NodePool": {"template": {"spec": node}},
        "NodeClaim": node,
        "EC2NodeClass": {
            "role": "node",
            "amiSelectorTerms": [{"alias": "al2023@latest"}],
            "subnetSelectorTerms": terms,
            "securityGroupSelectorTerms": terms,
        },
    }
    labels = {"karpenter.sh/nodepool": MARK} if kind == "NodeClaim" else {}
    metadata = {"name": MARK, "finalizers": [FINALIZER], "labels": labels}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": specs[kind]}


def test_nodes_go_in_order_and_with_a_deadline_for_their_drain(api_server: ApiServer) -> None:
    api_server.load_crds("karpenter")
    client = api_server.client
    for version, kind in KARPENTER:
        client.create(karpenter_object(version, kind))
    said = run(api_server, "drain-node-pool", {"metadata": {"name": MARK}}, node_drain_minutes=7)
    assert said == ["1 nodes of pool are drained within 7 minutes"]
    bounded = client.get("karpenter.sh/v1", "NodeClaim", MARK)["metadata"]["annotations"][DEADLINE]
    with Finalizers(client, *KARPENTER) as seen:
        run(api_server, "drain-nodes")
    assert seen.kinds == ["NodePool", "NodeClaim", "EC2NodeClass"]
    assert seen.freed[1]["metadata"]["annotations"][DEADLINE] == bounded


def test_a_webhook_that_nobody_answers_refuses_no_more(
    api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.drain_hooks.LOOKS_SECONDS", 0.0)
    rules = [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["DELETE"], "resources": ["pods"]}
    ]
    configuration = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": f"{MARK}-policy"},
        "webhooks": [
            {
                "name": "policy.example.com",
                "clientConfig": {"service": {"namespace": "gone", "name": "policy"}},
                "rules": rules,
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
        ],
    }
    api_server.client.create(configuration)
    said = run(api_server, "drain-webhooks")
    kind = "ValidatingWebhookConfiguration"
    assert api_server.client.find("admissionregistration.k8s.io/v1", kind, f"{MARK}-policy") is None
    assert said == [
        f"ValidatingWebhookConfiguration {MARK}-policy is deleted: no Pod answers it any more"
    ]


def test_a_cluster_that_is_gone_is_one_line_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("components.cluster_client.PAUSE_SECONDS", 0.0)
    cluster = {"server": "https://127.0.0.1:1"}
    config = {
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "c", "user": {"token": "none"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        "current-context": "c",
    }
    teardown = Teardown(TeardownConfig(), retain=False, tell=print)
    with pytest.raises(DrainError) as failed:
        run_hook("drain-nodes", teardown, json.dumps(config), Deletion("x", "kubernetes:x", {}))
    (line,) = failed.value.lines
    assert line.startswith("the cluster does not answer (")
    assert "teardown.drain: false" in line
