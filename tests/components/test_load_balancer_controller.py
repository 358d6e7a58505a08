"""The controller that gives the gateway its address, and what it may do on AWS."""

import json
from typing import Any

import pytest

from components.load_balancer_controller import (
    LoadBalancerController,
    LoadBalancerControllerConfig,
    controller_policy,
)
from tests.harness.cloud import ACCOUNT, cloud_outputs
from tests.harness.recording import Recording, record

pytestmark = pytest.mark.unit

POLICY = controller_policy(cluster="ai-cluster", region="us-west-2", account=ACCOUNT)
TAG = "elbv2.k8s.aws/cluster"


def controller() -> Recording:
    def build() -> dict[str, Any]:
        LoadBalancerController(
            "lbc",
            config=LoadBalancerControllerConfig(replicas=2),
            cluster_name="ai-cluster",
            region="us-west-2",
            account=ACCOUNT,
            vpc_id="vpc-1",
        )
        return {}

    return record(build, outputs=cloud_outputs)


def statements(action: str) -> list[dict[str, Any]]:
    return [it for it in POLICY["Statement"] if action in [*_listed(it["Action"])]]


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def test_it_gets_region_and_vpc_because_it_cant_ask_the_instance() -> None:
    (chart,) = controller().of_type(":Release")
    values = chart.inputs["values"]
    assert (values["clusterName"], values["region"], values["vpcId"]) == (
        "ai-cluster",
        "us-west-2",
        "vpc-1",
    )
    assert chart.inputs["skipCrds"] is False, "its kinds come with the chart"


def test_it_serves_services_that_name_it_and_stands_in_nobodys_way() -> None:
    (chart,) = controller().of_type(":Release")
    values = chart.inputs["values"]
    assert values["enableServiceMutatorWebhook"] is False
    assert values["createIngressClassResource"] is False


def test_its_pods_have_an_identity_of_their_own() -> None:
    made = controller()
    (association,) = made.of_type(":PodIdentityAssociation")
    (chart,) = made.of_type(":Release")
    assert association.inputs["serviceAccount"] == chart.inputs["values"]["serviceAccount"]["name"]
    assert association.inputs["namespace"] == chart.inputs["namespace"] == "kube-system"
    (policy,) = made.of_type(":RolePolicy")
    assert json.loads(policy.inputs["policy"]) == POLICY


@pytest.mark.parametrize(
    "action",
    [
        "elasticloadbalancing:DeleteLoadBalancer",
        "elasticloadbalancing:RegisterTargets",
        "elasticloadbalancing:DeleteTargetGroup",
        "ec2:DeleteSecurityGroup",
    ],
)
def test_it_changes_only_what_carries_its_clusters_tag(action: str) -> None:
    (statement,) = statements(action)
    assert statement["Condition"]["StringEquals"] == {f"aws:ResourceTag/{TAG}": "ai-cluster"}


@pytest.mark.parametrize(
    "action", ["elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"]
)
def test_what_it_creates_carries_its_clusters_tag(action: str) -> None:
    (statement,) = statements(action)
    assert statement["Condition"]["StringEquals"] == {f"aws:RequestTag/{TAG}": "ai-cluster"}


def test_it_opens_nodes_of_its_own_cluster_and_no_other_group() -> None:
    conditions = [
        it["Condition"]["StringEquals"] for it in statements("ec2:AuthorizeSecurityGroupIngress")
    ]
    assert conditions == [
        {f"aws:ResourceTag/{TAG}": "ai-cluster"},
        {"aws:ResourceTag/kubernetes.io/cluster/ai-cluster": "owned"},
    ]


def test_no_placeholder_is_left() -> None:
    assert "${" not in json.dumps(POLICY)
