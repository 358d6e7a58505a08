"""EKS add-ons at pinned versions, each with the AWS identity that it needs."""

import json
from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi_aws import eks

from components.pod_identity import PodIdentity
from components.system_nodes import TAINT_KEY
from components.versions import EKS_ADDONS, KUBE_PROXY_ADDON

SYSTEM_NAMESPACE = "kube-system"
BEFORE_NODES = ("eks-pod-identity-agent", "vpc-cni", "kube-proxy")
"""Agents on each node: a node is not ready before they run. The others need a node to run on."""
BEFORE_NODES_WITH_CILIUM = ("eks-pod-identity-agent",)
"""Cilium does what the VPC CNI and kube-proxy do."""
AFTER_NODES = ("coredns", "aws-ebs-csi-driver", "metrics-server")
AFTER_NODES_IN_AUTO_MODE = ("metrics-server",)
"""DNS, disks, network and Pod Identity are part of Auto Mode; the metrics API is not."""
IDENTITIES = {
    "vpc-cni": ("aws-node", "AmazonEKS_CNI_Policy"),
    "aws-ebs-csi-driver": ("ebs-csi-controller-sa", "service-role/AmazonEBSCSIDriverPolicy"),
}
"""Add-on to its service account and to AWS's policy for it."""


def addon_version(name: str, *, kubernetes_version: str) -> str:
    """The pinned version for that control plane."""
    return KUBE_PROXY_ADDON[kubernetes_version] if name == "kube-proxy" else EKS_ADDONS[name]


def addon_configuration(name: str) -> dict[str, Any] | None:
    """Settings that differ from the add-on's defaults."""
    tolerations = [{"key": TAINT_KEY, "operator": "Exists"}]
    settings: dict[str, dict[str, Any]] = {
        # Without this NetworkPolicies are accepted and not enforced.
        "vpc-cni": {
            "enableNetworkPolicy": "true",
            "env": {"ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "1"},
        },
        "metrics-server": {"tolerations": tolerations},
        "coredns": {"tolerations": tolerations},
    }
    return settings.get(name)


class ClusterAddons(pulumi.ComponentResource):
    """One group of add-ons: `BEFORE_NODES` before the first node, `AFTER_NODES` after it."""

    addons: list[pulumi.Resource]

    def __init__(
        self,
        name: str,
        *,
        addons: Sequence[str],
        cluster_name: pulumi.Input[str],
        kubernetes_version: str,
        partition: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:cluster:ClusterAddons", name, None, opts)
        self.addons = []
        for addon in addons:
            identities = []
            if addon in IDENTITIES:
                account, policy = IDENTITIES[addon]
                identity = PodIdentity(
                    addon,
                    cluster=cluster_name,
                    namespace=SYSTEM_NAMESPACE,
                    service_account=account,
                    managed_policy_arns=[f"arn:{partition}:iam::aws:policy/{policy}"],
                    opts=pulumi.ResourceOptions(parent=self),
                )
                identities.append(identity.association)
            settings = addon_configuration(addon)
            self.addons.append(
                eks.Addon(
                    addon,
                    cluster_name=cluster_name,
                    addon_name=addon,
                    addon_version=addon_version(addon, kubernetes_version=kubernetes_version),
                    configuration_values=json.dumps(settings) if settings else None,
                    resolve_conflicts_on_create="OVERWRITE",
                    resolve_conflicts_on_update="OVERWRITE",
                    opts=pulumi.ResourceOptions(parent=self, depends_on=identities),
                )
            )
        self.register_outputs({})
