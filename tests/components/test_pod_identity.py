"""AWS identities of service accounts, and that no policy gives more than it must."""

import json
from typing import Any

import pytest

from components.karpenter import controller_policy
from components.object_storage import reader_writer_policy
from components.pod_identity import PodIdentity, pod_trust_policy, policy_document
from components.secret_operator import reader_policy
from tests.harness.cloud import cloud_outputs
from tests.harness.recording import record

pytestmark = pytest.mark.unit

ARN = "arn:aws:kms:us-west-2:111122223333:key/k"
KARPENTER = controller_policy(
    cluster="ai-cluster",
    region="us-west-2",
    account="111122223333",
    queue_arn="arn:aws:sqs:us-west-2:111122223333:q",
    node_role_arn="arn:aws:iam::111122223333:role/node",
)
POLICIES = {
    "karpenter": KARPENTER,
    "bucket": reader_writer_policy("arn:aws:s3:::b", ARN),
    "secrets": reader_policy(
        region="us-west-2", account="111122223333", prefix="agentic-platform/", key_arn=ARN
    ),
}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_only_pods_of_one_service_account_of_one_cluster_may_take_the_role() -> None:
    policy = pod_trust_policy(cluster="ai-cluster", namespace="ai-data", service_account="milvus")
    (statement,) = policy["Statement"]
    assert statement["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert statement["Condition"]["StringEquals"] == {
        "aws:RequestTag/eks-cluster-name": "ai-cluster",
        "aws:RequestTag/kubernetes-namespace": "ai-data",
        "aws:RequestTag/kubernetes-service-account": "milvus",
    }


def test_policy_role_and_association_belong_together() -> None:
    document = policy_document([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:x"}])

    def build() -> dict[str, Any]:
        identity = PodIdentity(
            "milvus",
            cluster="ai-cluster",
            namespace="ai-data",
            service_account="milvus",
            policy=document,
        )
        return {"role": identity.role_arn}

    made = record(build, outputs=cloud_outputs)
    (role,) = made.of_type("role:Role")
    assert json.loads(role.inputs["assumeRolePolicy"]) == pod_trust_policy(
        cluster="ai-cluster", namespace="ai-data", service_account="milvus"
    )
    (policy,) = made.of_type(":RolePolicy")
    assert json.loads(policy.inputs["policy"]) == document
    (association,) = made.of_type(":PodIdentityAssociation")
    assert association.inputs == {
        "clusterName": "ai-cluster",
        "namespace": "ai-data",
        "serviceAccount": "milvus",
        "roleArn": made.values["role"],
    }


@pytest.mark.parametrize("name", POLICIES)
def test_no_policy_allows_a_wildcard_action(name: str) -> None:
    for statement in POLICIES[name]["Statement"]:
        assert not [action for action in as_list(statement["Action"]) if "*" in action], statement


@pytest.mark.parametrize("name", POLICIES)
def test_a_statement_over_every_resource_says_that_aws_takes_none_narrower(name: str) -> None:
    for statement in POLICIES[name]["Statement"]:
        if "*" in as_list(statement["Resource"]):
            assert statement["Sid"].endswith("WhichTakesNoResource"), statement


def test_karpenter_ends_only_instances_of_its_own_cluster() -> None:
    (end,) = [it for it in KARPENTER["Statement"] if it["Sid"] == "EndOwnInstances"]
    assert end["Condition"]["StringEquals"] == {
        "aws:ResourceTag/kubernetes.io/cluster/ai-cluster": "owned"
    }


def test_karpenter_hands_out_one_role_and_only_to_ec2() -> None:
    (give,) = [it for it in KARPENTER["Statement"] if it["Action"] == "iam:PassRole"]
    assert give["Resource"] == "arn:aws:iam::111122223333:role/node"
    assert give["Condition"]["StringEquals"] == {"iam:PassedToService": ["ec2.amazonaws.com"]}


def test_no_placeholder_is_left_in_a_policy() -> None:
    assert "${" not in json.dumps(KARPENTER)


def test_the_secret_operator_reads_the_platforms_entries_only() -> None:
    read = POLICIES["secrets"]["Statement"][0]
    assert read["Resource"] == (
        "arn:aws:secretsmanager:us-west-2:111122223333:secret:agentic-platform/*"
    )


def test_arns_follow_the_partition_of_the_region() -> None:
    policy = reader_policy(region="cn-north-1", account="1", prefix="p/", key_arn=ARN)
    assert policy["Statement"][0]["Resource"].startswith("arn:aws-cn:")
