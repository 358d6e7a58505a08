"""EKS Auto Mode: roles, access, node classes; the control plane makes no nodes of its own."""

import json
from typing import Any

import pytest

from components.auto_mode import (
    AutoModeNodes,
    auto_node_class_spec,
    cluster_trust_policy,
    tagging_policy,
)
from components.cluster import Cluster, EksConfig
from components.node_class import DiskConfig, NodeClassConfig, ReservationConfig
from components.storage_class import AUTO_MODE_PROVISIONER, storage_class_manifest
from tests.harness.cloud import cloud_outputs
from tests.harness.recording import Recording, record

pytestmark = pytest.mark.unit

CONFIG = EksConfig(
    name="ai-cluster",
    version="1.34",
    admin_role="platform-admin",
    public_endpoint=False,
    deletion_protection=True,
    capacity="autoMode",
)
CLASS = NodeClassConfig(
    name="gpu",
    ami_alias="managed",
    disk=DiskConfig(gib=500, iops=10000, throughput_mbps=500),
    reservations=(ReservationConfig(tags={"team": "ml"}, owner_id="111122223333"),),
    tags={"Workload": "ai-inference"},
)


def cluster() -> Recording:
    def build() -> dict[str, Any]:
        Cluster(
            "cluster",
            config=CONFIG,
            region="us-west-2",
            vpc_id="vpc-1",
            private_subnet_ids=["subnet-1"],
            public_subnet_ids=[],
            admin_role_arn="arn:aws:iam::111122223333:role/platform-admin",
            secrets_key_arn="arn:key",
        )
        return {}

    return record(build, outputs=cloud_outputs)


def nodes() -> Recording:
    def build() -> dict[str, Any]:
        AutoModeNodes("node", cluster_name="ai-cluster", partition="aws")
        return {}

    return record(build, outputs=cloud_outputs)


def attached(made: Recording) -> set[str]:
    arns = [it.inputs["policyArn"] for it in made.of_type(":RolePolicyAttachment")]
    return {arn.rsplit("/", 1)[1] for arn in arns}


def test_aws_runs_nodes_and_the_stacks_pools_decide_which() -> None:
    made = cluster()
    (control_plane,) = made.of_type("eks:index:Cluster")
    assert control_plane.inputs["autoMode"] == {
        "enabled": True,
        "createNodeRole": False,
        "computeConfig": {"nodePools": []},
    }
    assert control_plane.inputs["bootstrapSelfManagedAddons"] is False
    assert attached(made) == {
        "AmazonEKSClusterPolicy",
        "AmazonEKSComputePolicy",
        "AmazonEKSBlockStoragePolicy",
        "AmazonEKSLoadBalancingPolicy",
        "AmazonEKSNetworkingPolicy",
    }


def test_the_clusters_sessions_carry_its_name() -> None:
    (statement,) = cluster_trust_policy()["Statement"]
    assert statement["Principal"] == {"Service": "eks.amazonaws.com"}
    assert "sts:TagSession" in statement["Action"]


def test_auto_mode_tags_only_what_it_makes_for_this_cluster() -> None:
    for statement in tagging_policy()["Statement"]:
        assert "*" not in statement["Resource"]
        assert statement["Condition"]["StringEquals"] == {
            "aws:RequestTag/eks:eks-cluster-name": "${aws:PrincipalTag/eks:eks-cluster-name}"
        }


def test_nodes_join_by_an_entry_with_aws_policy_for_them() -> None:
    made = nodes()
    (entry,) = made.of_type(":AccessEntry")
    assert entry.inputs["type"] == "EC2"
    (access,) = made.of_type(":AccessPolicyAssociation")
    assert access.inputs["policyArn"].endswith("/AmazonEKSAutoNodePolicy")
    assert attached(made) == {
        "AmazonEKSWorkerNodeMinimalPolicy",
        "AmazonEC2ContainerRegistryPullOnly",
    }


def test_network_policies_are_enforced_in_auto_mode_too() -> None:
    (switch,) = nodes().of_type(":ConfigMap")
    assert switch.inputs["metadata"]["name"] == "amazon-vpc-cni"
    assert switch.inputs["metadata"]["namespace"] == "kube-system"
    assert switch.inputs["data"] == {"enable-network-policy-controller": "true"}


def test_a_node_class_chooses_disk_and_network_and_leaves_the_image_to_aws() -> None:
    spec = auto_node_class_spec(CLASS, cluster="ai-cluster", node_role="node")
    assert spec["ephemeralStorage"] == {"size": "500Gi", "iops": 10000, "throughput": 500}
    assert spec["subnetSelectorTerms"] == [{"tags": {"karpenter.sh/discovery": "ai-cluster"}}]
    assert spec["capacityReservationSelectorTerms"] == [
        {"tags": {"team": "ml"}, "owner": "111122223333"}
    ]
    assert not {"amiSelectorTerms", "blockDeviceMappings", "metadataOptions"} & set(spec)


def test_disks_of_auto_mode_have_a_driver_of_their_own() -> None:
    manifest = storage_class_manifest("gp3", provisioner=AUTO_MODE_PROVISIONER)
    assert manifest["provisioner"] == "ebs.csi.eks.amazonaws.com"
    assert json.loads(json.dumps(manifest["parameters"]))["encrypted"] == "true"
