"""A record of every connection of a VPC, accepted or refused."""

import json
from typing import Any

import pulumi
from pulumi_aws import cloudwatch, ec2, iam


def writer_trust_policy() -> dict[str, Any]:
    """Who may take the writer's role: the flow-log service."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "vpc-flow-logs.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def writer_policy(log_group_arn: str) -> dict[str, Any]:
    """Write to streams of one log group; describing takes no narrower resource than the group."""
    statement = {
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
        "Resource": [log_group_arn, f"{log_group_arn}:log-stream:*"],
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


class FlowLogs(pulumi.ComponentResource):
    """Flow logs of one VPC in one CloudWatch log group."""

    def __init__(
        self,
        name: str,
        *,
        vpc_id: pulumi.Input[str],
        retention_days: int,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:network:FlowLogs", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = cloudwatch.LogGroup(
            f"{name}-flow-logs", retention_in_days=retention_days, opts=child
        )
        role = iam.Role(
            f"{name}-flow-logs", assume_role_policy=json.dumps(writer_trust_policy()), opts=child
        )
        iam.RolePolicy(
            f"{name}-flow-logs",
            role=role.name,
            policy=group.arn.apply(lambda arn: json.dumps(writer_policy(arn))),
            opts=child,
        )
        ec2.FlowLog(
            name,
            vpc_id=vpc_id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=600,
            opts=child,
        )
        self.register_outputs({})
