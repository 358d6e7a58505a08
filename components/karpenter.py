"""Karpenter: CRDs, controller, the queue that announces interruptions, two AWS identities."""

import json
from pathlib import Path
from string import Template
from typing import Any

import pulumi
from pulumi_aws import cloudwatch, eks, sqs
from pydantic import PositiveInt

from components.base import ConfigModel
from components.child_options import child_options
from components.helm_chart import KEEP, HelmChart
from components.node_role import NodeRole
from components.pod_identity import PodIdentity
from components.region import partition_of

NAMESPACE = "kube-system"
"""Where API priority and fairness serves Karpenter before ordinary workloads."""
SERVICE_ACCOUNT = "karpenter"
POLICY_FILE = Path(__file__).with_name("karpenter_policy.json")
EVENTS: dict[str, tuple[str, str]] = {
    "spot-interruption": ("aws.ec2", "EC2 Spot Instance Interruption Warning"),
    "rebalance": ("aws.ec2", "EC2 Instance Rebalance Recommendation"),
    "state-change": ("aws.ec2", "EC2 Instance State-change Notification"),
    "scheduled-change": ("aws.health", "AWS Health Event"),
    "capacity-reservation": ("aws.ec2", "EC2 Capacity Reservation Instance Interruption Warning"),
}
"""What ends a node from outside: source and detail-type of the EventBridge events."""
QUEUE_RETENTION_SECONDS = 300


class KarpenterConfig(ConfigModel):
    """What a stack decides about the controller; pools are data of their own."""

    replicas: PositiveInt
    """Two survive the loss of a system node."""
    spot_to_spot_consolidation: bool = False
    """Whether a spot node may be replaced by a cheaper spot node."""
    static_capacity: bool = False
    """Pools with `staticNodes` (alpha in Karpenter 1.14)."""
    node_overlay: bool = False
    """Pools that share GPUs: Karpenter learns what their nodes offer (alpha in 1.14)."""


def controller_policy(
    *, cluster: str, region: str, account: str, queue_arn: str, node_role_arn: str
) -> dict[str, Any]:
    """What the controller may do, out of `karpenter_policy.json`."""
    template = Template(POLICY_FILE.read_text("utf-8"))
    text = template.substitute(
        cluster=cluster,
        region=region,
        account=account,
        partition=partition_of(region),
        queue_arn=queue_arn,
        node_role_arn=node_role_arn,
    )
    document: dict[str, Any] = json.loads(text)
    return document


def queue_policy(queue_arn: str) -> dict[str, Any]:
    """EventBridge may send, and nobody without TLS may do anything."""
    send = {
        "Effect": "Allow",
        "Principal": {"Service": ["events.amazonaws.com", "sqs.amazonaws.com"]},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
    }
    insecure = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": queue_arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [send, insecure]}


def controller_values(
    config: KarpenterConfig, *, cluster: Any, endpoint: Any, queue: Any
) -> dict[str, Any]:
    """Values of the controller's chart."""
    return {
        "replicas": config.replicas,
        "settings": {
            "clusterName": cluster,
            "clusterEndpoint": endpoint,
            "interruptionQueue": queue,
            # 1.14's default, said here: the rule about DRA (infra/capacity_rules.py) rests on it.
            "ignoreDRARequests": True,
            "featureGates": {
                "spotToSpotConsolidation": config.spot_to_spot_consolidation,
                "staticCapacity": config.static_capacity,
                "nodeOverlay": config.node_overlay,
                "reservedCapacity": True,
            },
        },
        "serviceAccount": {"create": True, "name": SERVICE_ACCOUNT},
        "controller": {
            "resources": {
                "requests": {"cpu": "500m", "memory": "1Gi"},
                "limits": {"memory": "1Gi"},
            }
        },
    }


class Karpenter(pulumi.ComponentResource):
    """A controller that adds and removes nodes; without a node pool it does nothing."""

    node_role_name: pulumi.Output[str]
    ready: list[pulumi.Resource]
    """Pools depend on these; so on the way down they go before the controller that drains them."""

    def __init__(
        self,
        name: str,
        *,
        config: KarpenterConfig,
        cluster_name: pulumi.Input[str],
        cluster_endpoint: pulumi.Input[str],
        region: str,
        account: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`opts` carries the AWS and the Kubernetes provider, and waits for nodes and CoreDNS."""
        super().__init__("agentic:capacity:Karpenter", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        queue = self._queue(name)
        role = NodeRole(f"{name}-node", partition=partition_of(region), opts=child)
        entry = self._entry(name, cluster_name, role)
        policy = pulumi.Output.all(
            cluster=cluster_name, account=account, queue_arn=queue.arn, node_role_arn=role.arn
        ).apply(lambda it: controller_policy(region=region, **it))
        identity = PodIdentity(
            name,
            cluster=cluster_name,
            namespace=NAMESPACE,
            service_account=SERVICE_ACCOUNT,
            policy=policy,
            opts=child,
        )
        definitions = HelmChart(
            f"{name}-crd",
            chart="karpenter-crd",
            namespace=NAMESPACE,
            values={"additionalAnnotations": KEEP},
            opts=child,
        )
        controller = HelmChart(
            name,
            chart="karpenter",
            namespace=NAMESPACE,
            values=controller_values(
                config, cluster=cluster_name, endpoint=cluster_endpoint, queue=queue.name
            ),
            opts=pulumi.ResourceOptions.merge(
                child_options(self, opts),
                pulumi.ResourceOptions(depends_on=[definitions, identity.association, entry]),
            ),
        )
        self.node_role_name = role.role_name
        # The node role and its rights must outlive the pools: instances are ended with them.
        self.ready = [controller, definitions, entry, *role.attachments]
        self.register_outputs({"node_role_name": self.node_role_name})

    def _entry(self, name: str, cluster_name: pulumi.Input[str], role: NodeRole) -> Any:
        """Lets nodes with `role` join the cluster."""
        return eks.AccessEntry(
            f"{name}-node",
            cluster_name=cluster_name,
            principal_arn=role.arn,
            type="EC2_LINUX",
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _queue(self, name: str) -> Any:
        child = pulumi.ResourceOptions(parent=self)
        queue = sqs.Queue(
            name,
            message_retention_seconds=QUEUE_RETENTION_SECONDS,
            sqs_managed_sse_enabled=True,
            opts=child,
        )
        sqs.QueuePolicy(
            name,
            queue_url=queue.url,
            policy=queue.arn.apply(lambda arn: json.dumps(queue_policy(arn))),
            opts=child,
        )
        for event, (source, detail_type) in EVENTS.items():
            pattern = json.dumps({"source": [source], "detail-type": [detail_type]})
            rule = cloudwatch.EventRule(f"{name}-{event}", event_pattern=pattern, opts=child)
            cloudwatch.EventTarget(f"{name}-{event}", rule=rule.name, arn=queue.arn, opts=child)
        return queue
