"""Cilium in place of the VPC CNI and kube-proxy: VPC addresses, policies in the kernel, Hubble."""

from typing import Any

import pulumi

from components.helm_chart import HelmChart
from components.pod_identity import PodIdentity, policy_document

NAMESPACE = "kube-system"
OPERATOR_ACCOUNT = "cilium-operator"
NOT_READY_TAINT = "node.cilium.io/agent-not-ready"
"""Nodes start with it, and the agent takes it away: no Pod gets an address from nobody."""


def operator_policy() -> dict[str, Any]:
    """Addresses for Pods: network interfaces of the account's instances.

    EC2 has no condition by which these could be narrowed to instances of one cluster before the
    interface carries a tag, so what creates and attaches is bound to its resource types.
    """
    return policy_document(
        [
            {
                "Sid": "DescribeWhichTakesNoResource",
                "Effect": "Allow",
                "Action": [
                    "ec2:DescribeInstances",
                    "ec2:DescribeInstanceTypes",
                    "ec2:DescribeNetworkInterfaces",
                    "ec2:DescribeRouteTables",
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeTags",
                    "ec2:DescribeVpcs",
                ],
                "Resource": "*",
            },
            {
                "Sid": "GiveAddressesToInstances",
                "Effect": "Allow",
                "Action": [
                    "ec2:AssignPrivateIpAddresses",
                    "ec2:AttachNetworkInterface",
                    "ec2:CreateNetworkInterface",
                    "ec2:DeleteNetworkInterface",
                    "ec2:ModifyNetworkInterfaceAttribute",
                    "ec2:UnassignPrivateIpAddresses",
                ],
                "Resource": [
                    f"arn:*:ec2:*:*:{kind}/*"
                    for kind in ("instance", "network-interface", "security-group", "subnet")
                ],
            },
            {
                "Sid": "TagWhileCreating",
                "Effect": "Allow",
                "Action": "ec2:CreateTags",
                "Resource": "arn:*:ec2:*:*:network-interface/*",
                "Condition": {"StringEquals": {"ec2:CreateAction": "CreateNetworkInterface"}},
            },
        ]
    )


def chart_values(*, endpoint_host: Any) -> dict[str, Any]:
    """Values of the cilium chart 1.20 for nodes without any other CNI."""
    return {
        "eni": {"enabled": True, "awsEnablePrefixDelegation": True},
        "ipam": {"mode": "eni"},
        "routingMode": "native",
        "enableIPv4Masquerade": True,
        "kubeProxyReplacement": True,
        # Without kube-proxy nobody leads to the API server's ClusterIP before Cilium runs.
        "k8sServiceHost": endpoint_host,
        "k8sServicePort": 443,
        # Istio's CNI plugin stands beside Cilium's on the node.
        "cni": {"exclusive": False},
        "socketLB": {"hostNamespaceOnly": True},
        "operator": {"replicas": 2},
        "hubble": {
            "relay": {"enabled": True},
            "metrics": {"enabled": ["dns", "drop", "tcp", "flow", "port-distribution"]},
        },
        "prometheus": {"enabled": True},
    }


class Cilium(pulumi.ComponentResource):
    """The network of every node; installed before the first one."""

    ready: list[pulumi.Resource]

    def __init__(
        self,
        name: str,
        *,
        cluster_name: pulumi.Input[str],
        endpoint: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`endpoint` is the API server's `https://` address."""
        super().__init__("agentic:cluster:Cilium", name, None, opts)
        identity = PodIdentity(
            name,
            cluster=cluster_name,
            namespace=NAMESPACE,
            service_account=OPERATOR_ACCOUNT,
            policy=operator_policy(),
            opts=pulumi.ResourceOptions(parent=self),
        )
        host = pulumi.Output.from_input(endpoint).apply(lambda url: url.removeprefix("https://"))
        chart = HelmChart(
            name,
            chart="cilium",
            namespace=NAMESPACE,
            values=chart_values(endpoint_host=host),
            # There is no node yet, and there will be none before this is installed.
            wait=False,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[identity.association]),
        )
        self.ready = [chart, identity.association]
        self.register_outputs({})
