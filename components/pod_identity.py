"""An AWS identity for one service account: policy document → role → association."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi_aws import eks, iam

POLICY_VERSION = "2012-10-17"


def pod_trust_policy(*, cluster: str, namespace: str, service_account: str) -> dict[str, Any]:
    """Only EKS, for Pods of this service account of this cluster, may take the role.

    EKS passes who asks as session tags, hence `sts:TagSession`.
    """
    asks = {
        "aws:RequestTag/eks-cluster-name": cluster,
        "aws:RequestTag/kubernetes-namespace": namespace,
        "aws:RequestTag/kubernetes-service-account": service_account,
    }
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": {"StringEquals": asks},
    }
    return {"Version": POLICY_VERSION, "Statement": [statement]}


def policy_document(statements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """An IAM policy of these statements."""
    return {"Version": POLICY_VERSION, "Statement": [dict(it) for it in statements]}


class PodIdentity(pulumi.ComponentResource):
    """What Pods of one service account may do on AWS."""

    role_arn: pulumi.Output[str]
    role_name: pulumi.Output[str]
    association: pulumi.Resource
    """Pods that start before the association get no credentials: workloads depend on it."""

    def __init__(
        self,
        name: str,
        *,
        cluster: pulumi.Input[str],
        namespace: pulumi.Input[str],
        service_account: str,
        policy: pulumi.Input[Mapping[str, Any]] | None = None,
        managed_policy_arns: Sequence[str] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`policy` is an inline document; AWS's own policies are for AWS's own add-ons."""
        super().__init__("agentic:cluster:PodIdentity", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        trust = pulumi.Output.all(cluster=cluster, namespace=namespace).apply(
            lambda it: json.dumps(pod_trust_policy(service_account=service_account, **it))
        )
        role = iam.Role(name, assume_role_policy=trust, opts=child)
        needs: list[pulumi.Resource] = []
        if policy is not None:
            document = pulumi.Output.json_dumps(policy)
            needs.append(iam.RolePolicy(name, role=role.name, policy=document, opts=child))
        for arn in managed_policy_arns:
            attachment = f"{name}-{arn.rsplit('/', 1)[1]}"
            needs.append(
                iam.RolePolicyAttachment(attachment, role=role.name, policy_arn=arn, opts=child)
            )
        self.association = eks.PodIdentityAssociation(
            name,
            cluster_name=cluster,
            namespace=namespace,
            service_account=service_account,
            role_arn=role.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
        )
        self.role_arn, self.role_name = role.arn, role.name
        self.register_outputs({"role_arn": self.role_arn})
