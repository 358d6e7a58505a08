"""The session store outside the cluster: an ElastiCache replication group for Valkey."""

from typing import Any, Literal

import pulumi_aws as aws
from pulumi import ComponentResource, Input, InvokeOutputOptions, Output, ResourceOptions
from pydantic import Field

from components.base import ConfigModel

PORT = 6379


class ElastiCacheSessionStoreConfig(ConfigModel):
    """A Valkey replication group outside the cluster: TLS, encrypted, with a token."""

    variant: Literal["elasticache"] = "elasticache"
    """Discriminator."""
    node_type: str = Field(default="cache.t4g.small", pattern=r"^cache\.[a-z0-9]+\.[a-z0-9]+$")
    """Size of a node."""
    replicas: int = Field(default=1, ge=0, le=5)
    """Copies beside the primary, in other zones."""
    engine_version: str = "8.2"
    """Valkey version of ElastiCache."""
    snapshot_days: int = Field(default=7, ge=0, le=35)
    """How long daily snapshots are kept."""
    auth_token_secret: str = "agentic-platform/session-store-password"  # noqa: S105 # a name
    """Entry of Secrets Manager that holds the token (16 to 128 printable characters)."""
    protect: bool = True
    """Refuse to delete the group."""


def elasticache_spec(
    config: ElastiCacheSessionStoreConfig,
    *,
    auth_token: Input[str],
    subnet_group: Input[str],
    security_group_ids: list[Input[str]],
    parameter_group: Input[str],
) -> dict[str, Any]:
    """Arguments of the replication group: encrypted in motion and at rest, token required."""
    return {
        "description": "Sessions and task queues of the agents",
        "engine": "valkey",
        "engine_version": config.engine_version,
        "node_type": config.node_type,
        "num_cache_clusters": config.replicas + 1,
        "automatic_failover_enabled": config.replicas > 0,
        "multi_az_enabled": config.replicas > 0,
        "port": PORT,
        "subnet_group_name": subnet_group,
        "security_group_ids": security_group_ids,
        "parameter_group_name": parameter_group,
        "at_rest_encryption_enabled": True,
        "transit_encryption_enabled": True,
        "auth_token": auth_token,
        "snapshot_retention_limit": config.snapshot_days,
        "auto_minor_version_upgrade": True,
    }


class ElastiCache(ComponentResource):
    """A replication group that speaks TLS, asks for a token and never evicts."""

    host: Output[str]
    """The primary's address, which moves with a failover."""

    def __init__(
        self,
        name: str,
        *,
        config: ElastiCacheSessionStoreConfig,
        subnet_ids: Input[list[str]] | list[Input[str]],
        security_group_ids: list[Input[str]],
        opts: ResourceOptions | None = None,
    ) -> None:
        """The provider of `opts` is the AWS one."""
        super().__init__("agentic:data:ElastiCache", name, None, opts)
        own = ResourceOptions(parent=self)
        subnets = aws.elasticache.SubnetGroup(name, subnet_ids=subnet_ids, opts=own)
        parameters = aws.elasticache.ParameterGroup(
            name,
            family=f"valkey{config.engine_version.split('.', maxsplit=1)[0]}",
            parameters=[{"name": "maxmemory-policy", "value": "noeviction"}],
            opts=own,
        )
        token = aws.secretsmanager.get_secret_version_output(
            secret_id=config.auth_token_secret, opts=InvokeOutputOptions(parent=self)
        )
        group = aws.elasticache.ReplicationGroup(
            name,
            **elasticache_spec(
                config,
                auth_token=Output.secret(token.secret_string),
                subnet_group=subnets.name,
                security_group_ids=security_group_ids,
                parameter_group=parameters.name,
            ),
            opts=ResourceOptions(parent=self, protect=config.protect),
        )
        self.host = group.primary_endpoint_address
        self.register_outputs({"host": self.host})
