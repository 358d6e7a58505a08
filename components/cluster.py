"""The EKS control plane: who may reach it, what it logs, which key encrypts its Secrets."""

from collections.abc import Sequence
from typing import Any, Literal

import pulumi
import pulumi_eks as eks
from pulumi_aws import cloudwatch, ec2
from pydantic import Field

from components.auto_mode import AutoModeClusterRole
from components.base import ConfigModel
from components.kubeconfig import endpoint_of, exec_kubeconfig
from components.ordering import after
from components.region import partition_of
from components.subnet_plan import Cidr, ServiceCidr
from components.system_nodes import SystemNodesConfig

CLUSTER_ADMIN_POLICY = "arn:{partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
DISCOVERY_TAG = "karpenter.sh/discovery"

ControlPlaneLog = Literal["api", "audit", "authenticator", "controllerManager", "scheduler"]


class EksConfig(ConfigModel):
    """An EKS cluster that this stack makes."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,38}$")
    """Physical name; also the value of the tag `karpenter.sh/discovery`."""
    version: Literal["1.33", "1.34", "1.35"]
    """Kubernetes minor version of the control plane and its nodes."""
    admin_role: str = Field(pattern=r"^[A-Za-z0-9_+=,.@/-]{1,128}$")
    """Name (with path, without ARN) of the IAM role that people and CI assume to administer it."""
    public_endpoint: bool
    """Whether the API server answers outside the VPC; the private endpoint is always on."""
    public_access_cidrs: tuple[Cidr, ...] = ()
    """Who may call the public endpoint; required when there is one."""
    service_cidr: ServiceCidr = "172.20.0.0/16"
    """Range of ClusterIPs; must not overlap the VPC."""
    logs: tuple[ControlPlaneLog, ...] = ("api", "audit", "authenticator")
    """Control-plane logs sent to CloudWatch."""
    log_retention_days: Literal[7, 14, 30, 60, 90, 180, 365] = 90
    """How long those logs are kept; EKS by itself would keep them for ever."""
    deletion_protection: bool
    """Whether EKS itself refuses to delete the cluster."""
    support: Literal["STANDARD", "EXTENDED"] = "STANDARD"
    """What happens when the version leaves standard support: STANDARD is upgraded by AWS, EXTENDED
    stays and costs six times as much."""
    capacity: Literal["karpenter", "autoMode"] = "karpenter"
    """Who runs nodes: our own Karpenter beside a few managed nodes, or EKS Auto Mode."""
    cni: Literal["vpc-cni", "cilium"] = "vpc-cni"
    """Who gives Pods their addresses and enforces NetworkPolicies; Auto Mode brings its own."""
    system_nodes: SystemNodesConfig | None = None
    """The managed nodes that run what must exist before Karpenter can add nodes."""

    @property
    def auto_mode(self) -> bool:
        """Whether AWS runs nodes, network, disks and load balancers."""
        return self.capacity == "autoMode"


def access_entry(admin_role_arn: pulumi.Input[str], *, partition: str) -> dict[str, Any]:
    """The one administrator of the cluster, by IAM role; nothing is mapped through `aws-auth`."""
    admin = {
        "policy_arn": CLUSTER_ADMIN_POLICY.format(partition=partition),
        "access_scope": {"type": "cluster"},
    }
    return {"principal_arn": admin_role_arn, "access_policies": {"admin": admin}}


_NOTHING_BESIDE: dict[str, Any] = {
    "bootstrap_self_managed_addons": False,
    "use_default_vpc_cni": True,
    "coredns_addon_options": {"enabled": False},
    "kube_proxy_addon_options": {"enabled": False},
    "skip_default_node_group": True,
    "skip_default_security_groups": True,
    "create_oidc_provider": False,
}
"""Nodes and add-ons are components of their own; pulumi-eks would make others by itself."""


class _ControlPlane(pulumi.ComponentResource):
    """`eks.Cluster` with no other outputs than the two in use.

    The SDK's own class turns each output into its type, for which it imports the classes of
    Kubernetes and of EC2: a second of every preview.
    """

    def __init__(self, name: str, args: eks.ClusterArgs, opts: pulumi.ResourceOptions) -> None:
        vars(args).update(kubeconfig_json=None, cluster_security_group_id=None)
        super().__init__("eks:index:Cluster", name, args, opts, remote=True)

    @property
    @pulumi.getter(name="kubeconfigJson")
    def kubeconfig_json(self) -> pulumi.Output[str]:
        """The administrator's kubeconfig as EKS's own tools write it."""
        found: pulumi.Output[str] = pulumi.get(self, "kubeconfig_json")
        return found

    @property
    @pulumi.getter(name="clusterSecurityGroupId")
    def cluster_security_group_id(self) -> pulumi.Output[str]:
        """The group that EKS makes."""
        found: pulumi.Output[str] = pulumi.get(self, "cluster_security_group_id")
        return found


class Cluster(pulumi.ComponentResource):
    """An EKS control plane in access mode API, without nodes."""

    cluster_name: pulumi.Output[str]
    """Known once the control plane exists, so that what needs it waits."""
    endpoint: pulumi.Output[str]
    kubeconfig: pulumi.Output[str]
    """Calls `aws eks get-token` with region and admin role, so it needs no ambient profile."""
    security_group_id: pulumi.Output[str]
    """The group that EKS made: control plane, managed nodes and Karpenter's nodes share it."""

    def __init__(
        self,
        name: str,
        *,
        config: EksConfig,
        region: str,
        vpc_id: pulumi.Input[str],
        private_subnet_ids: Sequence[pulumi.Input[str]],
        public_subnet_ids: Sequence[pulumi.Input[str]],
        admin_role_arn: pulumi.Input[str],
        secrets_key_arn: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:cluster:Cluster", name, None, opts)
        needs: list[pulumi.Resource] = [self._log_group(name, config)]
        arguments = eks.ClusterArgs(
            name=config.name,
            version=config.version,
            authentication_mode="API",
            access_entries={"admin": access_entry(admin_role_arn, partition=partition_of(region))},
            vpc_id=vpc_id,
            private_subnet_ids=private_subnet_ids,
            public_subnet_ids=public_subnet_ids,
            endpoint_private_access=True,
            endpoint_public_access=config.public_endpoint,
            public_access_cidrs=[*config.public_access_cidrs] or None,
            kubernetes_service_ip_address_range=config.service_cidr,
            enabled_cluster_log_types=[*config.logs],
            encryption_config_key_arn=secrets_key_arn,
            deletion_protection=config.deletion_protection,
            upgrade_policy={"support_type": config.support},
            **_NOTHING_BESIDE,
            **self._capacity(name, config, region, needs),
            provider_credential_opts={"role_arn": admin_role_arn},
        )
        control_plane = _ControlPlane(
            name, arguments, pulumi.ResourceOptions(parent=self, depends_on=needs)
        )
        found = control_plane.kubeconfig_json.apply(endpoint_of)
        self.cluster_name = after(config.name, [control_plane])
        self.endpoint = found.apply(lambda it: it["server"])
        kubeconfig = pulumi.Output.all(found, admin_role_arn).apply(
            lambda it: exec_kubeconfig(it[0], cluster=config.name, region=region, role_arn=it[1])
        )
        # The access entry comes after the endpoint, and without it every call is refused.
        self.kubeconfig = after(kubeconfig, [control_plane])
        self.security_group_id = control_plane.cluster_security_group_id
        self._tag_for_discovery(name, config)
        self.register_outputs({"cluster_name": self.cluster_name, "endpoint": self.endpoint})

    def _log_group(self, name: str, config: EksConfig) -> Any:
        """Made before EKS makes it without a retention; its name is EKS's choice."""
        return cloudwatch.LogGroup(
            f"{name}-logs",
            name=f"/aws/eks/{config.name}/cluster",
            retention_in_days=config.log_retention_days,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _capacity(
        self, name: str, config: EksConfig, region: str, needs: list[pulumi.Resource]
    ) -> dict[str, Any]:
        """Arguments of Auto Mode; all of its nodes come from the stack's own pools."""
        if not config.auto_mode:
            return {}
        role = AutoModeClusterRole(
            f"{name}-role",
            partition=partition_of(region),
            opts=pulumi.ResourceOptions(parent=self),
        )
        needs += role.attachments
        pools: dict[str, list[str]] = {"node_pools": []}
        return {
            "auto_mode": {"enabled": True, "create_node_role": False, "compute_config": pools},
            "service_role": role.role,
        }

    def _tag_for_discovery(self, name: str, config: EksConfig) -> None:
        """By this tag Karpenter finds the group for its nodes."""
        ec2.Tag(
            f"{name}-discovery",
            resource_id=self.security_group_id,
            key=DISCOVERY_TAG,
            value=config.name,
            opts=pulumi.ResourceOptions(parent=self),
        )
