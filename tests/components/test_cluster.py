"""The EKS control plane, its add-ons, its first nodes, and the kubeconfig."""

import json
from typing import Any

import pytest

from components.cluster import Cluster, EksConfig
from components.cluster_addons import AFTER_NODES, BEFORE_NODES, ClusterAddons, addon_version
from components.kubeconfig import endpoint_of, exec_kubeconfig
from components.system_nodes import SystemNodes, SystemNodesConfig
from components.versions import EKS_ADDONS, KUBE_PROXY_ADDON, KUBERNETES_VERSIONS
from tests.harness.cloud import CERTIFICATE_AUTHORITY, ENDPOINT, cloud_outputs
from tests.harness.recording import Recording, record

pytestmark = pytest.mark.unit

ROLE = "arn:aws:iam::111122223333:role/platform-admin"
NODES = SystemNodesConfig(instance_types=("m6i.large",), min_size=2, max_size=3)
CONFIG = EksConfig(
    name="ai-cluster",
    version="1.34",
    admin_role="platform-admin",
    public_endpoint=False,
    deletion_protection=True,
    system_nodes=NODES,
)


def cluster() -> Recording:
    def build() -> dict[str, Any]:
        made = Cluster(
            "cluster",
            config=CONFIG,
            region="us-west-2",
            vpc_id="vpc-1",
            private_subnet_ids=["subnet-1"],
            public_subnet_ids=["subnet-2"],
            admin_role_arn=ROLE,
            secrets_key_arn="arn:key",
        )
        return {"kubeconfig": made.kubeconfig, "name": made.cluster_name, "at": made.endpoint}

    return record(build, outputs=cloud_outputs)


def test_access_is_by_iam_role_alone_and_names_its_administrator() -> None:
    (made,) = cluster().of_type("eks:index:Cluster")
    assert made.inputs["authenticationMode"] == "API"
    assert made.inputs["accessEntries"] == {
        "admin": {
            "principalArn": ROLE,
            "accessPolicies": {
                "admin": {
                    "policyArn": "arn:aws:eks::aws:cluster-access-policy/"
                    "AmazonEKSClusterAdminPolicy",
                    "accessScope": {"type": "cluster"},
                }
            },
        }
    }


def test_the_cluster_is_private_encrypted_and_makes_no_nodes_of_its_own() -> None:
    (made,) = cluster().of_type("eks:index:Cluster")
    assert made.inputs["endpointPublicAccess"] is False
    assert made.inputs["endpointPrivateAccess"] is True
    assert made.inputs["encryptionConfigKeyArn"] == "arn:key"
    assert made.inputs["skipDefaultNodeGroup"] is True
    assert made.inputs["deletionProtection"] is True
    assert made.inputs["name"] == "ai-cluster"


def test_karpenters_nodes_find_the_security_group_by_its_tag() -> None:
    (tag,) = cluster().of_type("ec2/tag:Tag")
    assert tag.inputs == {
        "resourceId": "sg-eks",
        "key": "karpenter.sh/discovery",
        "value": "ai-cluster",
    }


def test_the_kubeconfig_asks_for_a_token_with_role_and_region_and_holds_no_secret() -> None:
    document = json.loads(cluster().values["kubeconfig"])
    user = document["users"][0]["user"]
    assert set(user) == {"exec"}
    arguments = user["exec"]["args"]
    assert arguments[arguments.index("--role-arn") + 1] == ROLE
    assert arguments[arguments.index("--region") + 1] == "us-west-2"
    assert arguments[arguments.index("--cluster-name") + 1] == "ai-cluster"
    assert document["clusters"][0]["cluster"] == {
        "server": ENDPOINT,
        "certificate-authority-data": CERTIFICATE_AUTHORITY,
    }


def test_a_kubeconfig_survives_being_read_back() -> None:
    endpoint = {"server": "https://x", "certificate-authority-data": "QQ=="}
    text = exec_kubeconfig(endpoint, cluster="c", region="us-west-2", role_arn=ROLE)
    assert endpoint_of(text) == endpoint


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_every_addon_is_pinned_for_every_supported_version(version: str) -> None:
    for name in (*BEFORE_NODES, *AFTER_NODES):
        assert addon_version(name, kubernetes_version=version).startswith("v")
    assert KUBE_PROXY_ADDON[version].startswith(f"v{version}.")
    assert set(EKS_ADDONS) | {"kube-proxy"} == {*BEFORE_NODES, *AFTER_NODES}


def test_addons_that_call_aws_have_an_identity_and_network_policies_are_enforced() -> None:
    def build() -> dict[str, Any]:
        ClusterAddons(
            "addons",
            addons=[*BEFORE_NODES, *AFTER_NODES],
            cluster_name="ai-cluster",
            kubernetes_version="1.34",
            partition="aws",
        )
        return {}

    made = record(build, outputs=cloud_outputs)
    accounts = {it.inputs["serviceAccount"] for it in made.of_type(":PodIdentityAssociation")}
    assert accounts == {"aws-node", "ebs-csi-controller-sa"}
    cni = next(it for it in made.of_type(":Addon") if it.name == "vpc-cni")
    assert json.loads(cni.inputs["configurationValues"])["enableNetworkPolicy"] == "true"


def test_system_nodes_keep_ordinary_pods_away() -> None:
    def build() -> dict[str, Any]:
        SystemNodes(
            "system",
            config=NODES,
            cluster_name="ai-cluster",
            kubernetes_version="1.34",
            partition="aws",
            subnet_ids=["subnet-1"],
        )
        return {}

    made = record(build, outputs=cloud_outputs)
    (group,) = made.of_type(":NodeGroup")
    assert group.inputs["taints"] == [
        {"key": "CriticalAddonsOnly", "value": "true", "effect": "NO_SCHEDULE"}
    ]
    attached = {
        it.inputs["policyArn"].rsplit("/", 1)[1] for it in made.of_type(":RolePolicyAttachment")
    }
    assert "AmazonEKS_CNI_Policy" not in attached, "the CNI has an identity of its own"


def test_a_node_group_that_ends_below_its_start_is_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match=r"maxSize \(1\) not below minSize \(2\)"):
        SystemNodesConfig(instance_types=("m6i.large",), min_size=2, max_size=1)
