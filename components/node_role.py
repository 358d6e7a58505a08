"""The IAM role that EC2 nodes of the cluster take."""

import json
from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi_aws import iam

from components.pull_through_cache import import_policy

NODE_POLICIES = (
    "AmazonEKSWorkerNodePolicy",
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonSSMManagedInstanceCore",
)
"""Join the cluster, pull images, be reached without SSH. The CNI has an identity of its own."""
AUTO_MODE_NODE_POLICIES = (
    "AmazonEKSWorkerNodeMinimalPolicy",
    "AmazonEC2ContainerRegistryPullOnly",
)
"""Nodes of EKS Auto Mode can't be logged in to, and AWS calls its APIs from outside of them."""


def instance_trust_policy() -> dict[str, Any]:
    """Who may take the role: EC2, for its instances."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


class NodeRole(pulumi.ComponentResource):
    """A role for instances, with AWS's own node policies and the right to fill image caches."""

    role_name: pulumi.Output[str]
    arn: pulumi.Output[str]
    attachments: list[pulumi.Resource]
    """Nodes that start before these are attached never become ready."""

    def __init__(
        self,
        name: str,
        *,
        partition: str,
        policies: Sequence[str] = NODE_POLICIES,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:cluster:NodeRole", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        role = iam.Role(name, assume_role_policy=json.dumps(instance_trust_policy()), opts=child)
        self.attachments = [
            iam.RolePolicyAttachment(
                f"{name}-{policy}",
                role=role.name,
                policy_arn=f"arn:{partition}:iam::aws:policy/{policy}",
                opts=child,
            )
            for policy in policies
        ]
        self.attachments.append(
            iam.RolePolicy(
                name, role=role.name, policy=json.dumps(import_policy(partition)), opts=child
            )
        )
        self.role_name = role.name
        self.arn = role.arn
        self.register_outputs({"role_name": self.role_name, "arn": self.arn})
