"""AWS Load Balancer Controller: a Network Load Balancer for each Service that asks for one."""

from pathlib import Path
from typing import Any

import pulumi
from pydantic import PositiveInt

from components.base import ConfigModel
from components.child_options import child_options
from components.helm_chart import HelmChart
from components.pod_identity import PodIdentity
from components.policy_template import policy_from
from components.region import partition_of
from components.system_nodes import TAINT_KEY

NAMESPACE = "kube-system"
SERVICE_ACCOUNT = "aws-load-balancer-controller"
POLICY_FILE = Path(__file__).with_name("load_balancer_policy.json")


class LoadBalancerControllerConfig(ConfigModel):
    """What a stack decides about the controller; schemes and certificates are the gateway's."""

    replicas: PositiveInt = 2
    """Copies; one leads."""


def controller_policy(*, cluster: str, region: str, account: str) -> dict[str, Any]:
    """Network Load Balancers of this cluster and no others; nothing of ALB, WAF or Shield."""
    return policy_from(
        POLICY_FILE,
        cluster=cluster,
        region=region,
        account=account,
        partition=partition_of(region),
    )


def chart_values(
    config: LoadBalancerControllerConfig, *, cluster: Any, region: str, vpc_id: Any
) -> dict[str, Any]:
    """Values of the aws-load-balancer-controller chart: Services only, by annotation only."""
    return {
        "clusterName": cluster,
        # Pods can't ask the instance metadata service: hop limit 1.
        "region": region,
        "vpcId": vpc_id,
        "replicaCount": config.replicas,
        "serviceAccount": {"create": True, "name": SERVICE_ACCOUNT},
        "defaultTargetType": "ip",
        # It would answer for every new Service of the cluster, and block them all when it is down.
        "enableServiceMutatorWebhook": False,
        "createIngressClassResource": False,
        "ingressClassParams": {"create": False},
        "enableShield": False,
        "enableWaf": False,
        "enableWafv2": False,
        "controllerConfig": {"featureGates": {"ALBGatewayAPI": False, "NLBGatewayAPI": False}},
        "podDisruptionBudget": {"maxUnavailable": 1},
        "tolerations": [{"key": TAINT_KEY, "operator": "Exists"}],
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"memory": "512Mi"},
        },
    }


class LoadBalancerController(pulumi.ComponentResource):
    """Gives Services of type LoadBalancer their address.

    Whoever has such a Service depends on it: on the way down the load balancer goes first, and
    with it the network interfaces that would hold the VPC.
    """

    ready: list[pulumi.Resource]

    def __init__(
        self,
        name: str,
        *,
        config: LoadBalancerControllerConfig,
        cluster_name: pulumi.Input[str],
        region: str,
        account: pulumi.Input[str],
        vpc_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:cluster:LoadBalancerController", name, None, opts)
        child = child_options(self, opts)
        policy = pulumi.Output.all(cluster=cluster_name, account=account).apply(
            lambda it: controller_policy(region=region, **it)
        )
        identity = PodIdentity(
            name,
            cluster=cluster_name,
            namespace=NAMESPACE,
            service_account=SERVICE_ACCOUNT,
            policy=policy,
            opts=child,
        )
        chart = HelmChart(
            name,
            chart="aws-load-balancer-controller",
            namespace=NAMESPACE,
            values=chart_values(config, cluster=cluster_name, region=region, vpc_id=vpc_id),
            # Its kinds (TargetGroupBinding) come with the chart; there is none of their own.
            skip_crds=False,
            opts=pulumi.ResourceOptions.merge(
                child, pulumi.ResourceOptions(depends_on=[identity.association])
            ),
        )
        self.ready = [chart, identity.association]
        self.register_outputs({})
