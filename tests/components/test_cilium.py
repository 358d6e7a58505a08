"""Cilium in place of the VPC CNI and kube-proxy."""

from typing import Any

import pytest

from components.cilium import NOT_READY_TAINT, Cilium, operator_policy
from components.system_nodes import node_taints
from tests.harness.cloud import cloud_outputs
from tests.harness.recording import Recording, record

pytestmark = pytest.mark.unit


def cilium() -> Recording:
    def build() -> dict[str, Any]:
        Cilium("cilium", cluster_name="ai-cluster", endpoint="https://api.example")
        return {}

    return record(build, outputs=cloud_outputs)


def test_it_reaches_the_api_server_without_kube_proxy() -> None:
    (chart,) = cilium().of_type(":Release")
    values = chart.inputs["values"]
    assert values["kubeProxyReplacement"] is True
    assert (values["k8sServiceHost"], values["k8sServicePort"]) == ("api.example", 443)


def test_it_is_installed_before_the_first_node_and_waits_for_none() -> None:
    (chart,) = cilium().of_type(":Release")
    assert chart.inputs["skipAwait"] is True
    assert chart.inputs["atomic"] is False


def test_pods_get_addresses_of_the_vpc_from_an_operator_with_an_identity() -> None:
    made = cilium()
    (chart,) = made.of_type(":Release")
    assert chart.inputs["values"]["ipam"] == {"mode": "eni"}
    (association,) = made.of_type(":PodIdentityAssociation")
    assert association.inputs["serviceAccount"] == "cilium-operator"


def test_nodes_wait_for_the_agent() -> None:
    assert node_taints(NOT_READY_TAINT)[1] == {
        "key": "node.cilium.io/agent-not-ready",
        "value": "true",
        "effect": "NO_EXECUTE",
    }
    assert len(node_taints(None)) == 1


def test_interfaces_are_changed_by_resource_type_and_tagged_only_while_created() -> None:
    change, tag = operator_policy()["Statement"][1:]
    assert "*" not in change["Resource"]
    assert tag["Condition"] == {"StringEquals": {"ec2:CreateAction": "CreateNetworkInterface"}}
