"""Karpenter: what hears interruptions, what nodes may be, what the chart is told."""

import json
from typing import Any

import pytest

from components.karpenter import EVENTS, Karpenter, KarpenterConfig, queue_policy
from tests.harness.cloud import cloud_outputs
from tests.harness.recording import Recording, record

pytestmark = pytest.mark.unit


def karpenter() -> Recording:
    def build() -> dict[str, Any]:
        made = Karpenter(
            "karpenter",
            config=KarpenterConfig(replicas=2),
            cluster_name="ai-cluster",
            cluster_endpoint="https://eks.example",
            region="us-west-2",
            account="111122223333",
        )
        return {"role": made.node_role_name}

    return record(build, outputs=cloud_outputs)


def test_every_event_that_ends_a_node_goes_to_the_queue() -> None:
    made = karpenter()
    (queue,) = made.of_type("queue:Queue")
    targets = made.of_type(":EventTarget")
    assert {it.inputs["arn"] for it in targets} == {f"arn:aws:{queue.type}:::karpenter"}
    patterns = [json.loads(it.inputs["eventPattern"]) for it in made.of_type(":EventRule")]
    assert {(it["source"][0], it["detail-type"][0]) for it in patterns} == set(EVENTS.values())


def test_the_queue_is_encrypted_and_takes_messages_from_eventbridge_over_tls_only() -> None:
    (queue,) = karpenter().of_type("queue:Queue")
    assert queue.inputs["sqsManagedSseEnabled"] is True
    send, insecure = queue_policy("arn:queue")["Statement"]
    assert "events.amazonaws.com" in send["Principal"]["Service"]
    assert insecure["Effect"] == "Deny"
    assert insecure["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_nodes_join_by_an_access_entry_and_their_role_is_the_one_handed_out() -> None:
    made = karpenter()
    (entry,) = made.of_type(":AccessEntry")
    assert entry.inputs["type"] == "EC2_LINUX"
    (policy,) = [it for it in made.of_type(":RolePolicy") if it.name == "karpenter"]
    statements = json.loads(policy.inputs["policy"])["Statement"]
    (give,) = [it for it in statements if it["Action"] == "iam:PassRole"]
    assert give["Resource"] == entry.inputs["principalArn"]


def test_the_controller_has_an_identity_and_knows_cluster_and_queue() -> None:
    made = karpenter()
    (association,) = made.of_type(":PodIdentityAssociation")
    assert association.inputs["serviceAccount"] == "karpenter"
    (release,) = [it for it in made.of_type(":Release") if it.name == "karpenter"]
    assert release.inputs["values"]["settings"]["clusterName"] == "ai-cluster"
    assert release.inputs["values"]["settings"]["interruptionQueue"] == "karpenter"
    assert release.inputs["skipCrds"] is True


def test_kinds_come_from_a_chart_of_their_own_at_the_same_version() -> None:
    releases = {it.name: it.inputs for it in karpenter().of_type(":Release")}
    assert releases["karpenter-crd"]["version"] == releases["karpenter"]["version"]
