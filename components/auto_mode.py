"""EKS Auto Mode: AWS runs Karpenter, network, disks and load balancers; we bring roles and pools.

Facts from https://docs.aws.amazon.com/eks/latest/userguide/auto-reference.html and
https://docs.aws.amazon.com/eks/latest/userguide/create-node-class.html (read in November 2026).
"""

import json
from typing import Any

import pulumi
from pulumi_aws import eks, iam

from components.base import metadata
from components.kubernetes_object import kubernetes_object
from components.node_class import DISCOVERY_TAG, NodeClassConfig
from components.node_role import AUTO_MODE_NODE_POLICIES, NodeRole

NODE_CLASS_GROUP = "eks.amazonaws.com"
NODE_CLASS_KIND = "NodeClass"
LOAD_BALANCER_CLASS = "eks.amazonaws.com/nlb"
"""`spec.loadBalancerClass` of a Service that Auto Mode gives a Network Load Balancer."""
NODE_ACCESS_POLICY = "arn:{partition}:eks::aws:cluster-access-policy/AmazonEKSAutoNodePolicy"
CLUSTER_POLICIES = (
    "AmazonEKSClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
)
"""What AWS's own controllers do in the account, each in AWS's own policy."""


TAGGED_WITH_A_NODE = (
    "fleet",
    "instance",
    "launch-template",
    "network-interface",
    "spot-instances-request",
    "volume",
)


def cluster_trust_policy() -> dict[str, Any]:
    """Who may take the cluster's role: EKS, which tags its sessions with the cluster's name."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def tagging_policy() -> dict[str, Any]:
    """AWS's policies let Auto Mode set its own tags only; NodeClasses and disks carry more."""
    own = {
        "StringEquals": {
            "aws:RequestTag/eks:eks-cluster-name": "${aws:PrincipalTag/eks:eks-cluster-name}"
        }
    }
    compute = {
        "Sid": "TagNodesOfThisCluster",
        "Effect": "Allow",
        "Action": ["ec2:CreateFleet", "ec2:CreateLaunchTemplate", "ec2:RunInstances"],
        "Resource": [f"arn:*:ec2:*:*:{kind}/*" for kind in TAGGED_WITH_A_NODE],
        "Condition": own | {"StringLike": {"aws:RequestTag/eks:kubernetes-node-class-name": "*"}},
    }
    disks = {
        "Sid": "TagDisksOfThisCluster",
        "Effect": "Allow",
        "Action": ["ec2:CreateSnapshot", "ec2:CreateVolume"],
        "Resource": ["arn:*:ec2:*:*:snapshot/*", "arn:*:ec2:*:*:volume/*"],
        "Condition": own,
    }
    return {"Version": "2012-10-17", "Statement": [compute, disks]}


def auto_node_class_spec(
    config: NodeClassConfig, *, cluster: Any, node_role: Any
) -> dict[str, Any]:
    """Spec of a NodeClass: network by discovery tag, an encrypted disk. AWS chooses the image."""
    discovery = [{"tags": {DISCOVERY_TAG: cluster}}]
    spec: dict[str, Any] = {
        "role": node_role,
        "subnetSelectorTerms": discovery,
        "securityGroupSelectorTerms": discovery,
        "ephemeralStorage": {
            "size": f"{config.disk.gib}Gi",
            "iops": config.disk.iops,
            "throughput": config.disk.throughput_mbps,
        },
        "networkPolicy": "DefaultAllow",
        "networkPolicyEventLogs": "Disabled",
    }
    if config.reservations:
        # The field is `owner` here, and `ownerID` in Karpenter's own EC2NodeClass.
        spec["capacityReservationSelectorTerms"] = [
            {("owner" if key == "ownerID" else key): value for key, value in it.term().items()}
            for it in config.reservations
        ]
    return spec | ({"tags": dict(config.tags)} if config.tags else {})


def network_policy_switch() -> dict[str, Any]:
    """Without it Auto Mode accepts NetworkPolicies and enforces none."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata("amazon-vpc-cni", component="network", namespace="kube-system"),
        "data": {"enable-network-policy-controller": "true"},
    }


class AutoModeClusterRole(pulumi.ComponentResource):
    """The role with which AWS's controllers act for the cluster."""

    role: Any
    attachments: list[pulumi.Resource]
    """The cluster depends on these: without them it gets no nodes."""

    def __init__(
        self, name: str, *, partition: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("agentic:cluster:AutoModeClusterRole", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.role = iam.Role(
            name, assume_role_policy=json.dumps(cluster_trust_policy()), opts=child
        )
        self.attachments = [
            iam.RolePolicyAttachment(
                f"{name}-{policy}",
                role=self.role.name,
                policy_arn=f"arn:{partition}:iam::aws:policy/{policy}",
                opts=child,
            )
            for policy in CLUSTER_POLICIES
        ]
        self.attachments.append(
            iam.RolePolicy(
                name, role=self.role.name, policy=json.dumps(tagging_policy()), opts=child
            )
        )
        self.register_outputs({})


class AutoModeNodes(pulumi.ComponentResource):
    """What NodeClasses need: a role for nodes that the cluster knows."""

    node_role_name: pulumi.Output[str]
    ready: list[pulumi.Resource]
    """Pools depend on these; the role and its rights must outlive them."""

    def __init__(
        self,
        name: str,
        *,
        cluster_name: pulumi.Input[str],
        partition: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:capacity:AutoModeNodes", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        role = NodeRole(name, partition=partition, policies=AUTO_MODE_NODE_POLICIES, opts=child)
        entry = eks.AccessEntry(
            name, cluster_name=cluster_name, principal_arn=role.arn, type="EC2", opts=child
        )
        access = eks.AccessPolicyAssociation(
            name,
            cluster_name=cluster_name,
            principal_arn=role.arn,
            policy_arn=NODE_ACCESS_POLICY.format(partition=partition),
            access_scope={"type": "cluster"},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[entry]),
        )
        switch = kubernetes_object(f"{name}-network-policy", network_policy_switch(), opts=child)
        self.node_role_name = role.role_name
        self.ready = [entry, access, switch, *role.attachments]
        self.register_outputs({"node_role_name": self.node_role_name})
