"""Ways from private subnets to AWS's APIs that cross no NAT gateway."""

from collections.abc import Sequence
from typing import Any, Literal

import pulumi
from pulumi_aws import ec2

InterfaceService = Literal[
    "autoscaling",
    "bedrock-runtime",
    "ec2",
    "ecr.api",
    "ecr.dkr",
    "eks",
    "eks-auth",
    "elasticloadbalancing",
    "kms",
    "logs",
    "monitoring",
    "secretsmanager",
    "sqs",
    "ssm",
    "sts",
]
HTTPS = 443


def https_from(cidr: str) -> dict[str, Any]:
    """The only thing an endpoint accepts."""
    return {
        "protocol": "tcp",
        "from_port": HTTPS,
        "to_port": HTTPS,
        "cidr_blocks": [cidr],
        "description": "HTTPS from the VPC",
    }


class VpcEndpoints(pulumi.ComponentResource):
    """A gateway endpoint for S3 and an interface endpoint for each named service."""

    def __init__(
        self,
        name: str,
        *,
        services: Sequence[InterfaceService],
        region: str,
        vpc_id: pulumi.Input[str],
        vpc_cidr: str,
        subnet_ids: Sequence[pulumi.Input[str]],
        route_table_ids: Sequence[pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:network:VpcEndpoints", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=vpc_id,
            vpc_endpoint_type="Gateway",
            service_name=f"com.amazonaws.{region}.s3",
            route_table_ids=route_table_ids,
            opts=child,
        )
        group = ec2.SecurityGroup(
            f"{name}-endpoints",
            vpc_id=vpc_id,
            description="HTTPS from the VPC to AWS APIs",
            ingress=[https_from(vpc_cidr)],
            opts=child,
        )
        for service in services:
            ec2.VpcEndpoint(
                f"{name}-{service}",
                vpc_id=vpc_id,
                vpc_endpoint_type="Interface",
                service_name=f"com.amazonaws.{region}.{service}",
                subnet_ids=subnet_ids,
                security_group_ids=[group.id],
                private_dns_enabled=True,
                opts=child,
            )
        self.register_outputs({})
