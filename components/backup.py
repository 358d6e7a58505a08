"""AWS Backup: a daily copy of every volume and bucket that carries the platform's backup tag."""

import json
from typing import Any, Self

import pulumi
import pulumi_aws as aws
from pydantic import Field, model_validator

from components.base import ConfigModel

BACKUP_TAG = "agentic.dev/backup"
"""Volumes get it from their StorageClass, buckets from `objectStorage`."""
SERVICE_POLICIES = (
    "service-role/AWSBackupServiceRolePolicyForBackup",
    "service-role/AWSBackupServiceRolePolicyForRestores",
    "AWSBackupServiceRolePolicyForS3Backup",
    "AWSBackupServiceRolePolicyForS3Restore",
)
"""AWS keeps these in step with the resource types that its service learns to back up."""
COLD_STORAGE_LEAST_DAYS = 90
"""AWS Backup keeps what it moved to cold storage for at least so long."""


class BackupConfig(ConfigModel):
    """What a stack decides about its backups."""

    schedule: str = Field(default="cron(0 3 * * ? *)", pattern=r"^(cron|rate)\([^()]+\)$")
    """When a backup starts (UTC)."""
    retain_days: int = Field(ge=1, le=3650)
    """How long each is kept."""
    cold_after_days: int | None = Field(default=None, ge=1)
    """Moved to cheaper storage after so many days; never when left out."""
    locked: bool = False
    """Nobody, not even an administrator, may delete a backup before `retainDays` (governance mode:
    who may change the vault's lock can lift it)."""

    @model_validator(mode="after")
    def _cold_long_enough(self) -> Self:
        cold = self.cold_after_days
        if cold is not None and self.retain_days < cold + COLD_STORAGE_LEAST_DAYS:
            raise ValueError(
                f"retainDays ({self.retain_days}) must be at least {COLD_STORAGE_LEAST_DAYS} above "
                f"coldAfterDays ({cold}); raise it or leave coldAfterDays out"
            )
        return self


def trust_policy() -> dict[str, Any]:
    """Who may take the role: AWS Backup."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "backup.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def plan_rule(config: BackupConfig, *, vault: Any) -> dict[str, Any]:
    """One rule: when, where to, for how long."""
    lifecycle: dict[str, Any] = {"delete_after": config.retain_days}
    if config.cold_after_days is not None:
        lifecycle["cold_storage_after"] = config.cold_after_days
    return {
        "rule_name": "daily",
        "target_vault_name": vault,
        "schedule": config.schedule,
        "start_window": 60,
        "completion_window": 720,
        "lifecycle": lifecycle,
    }


class Backup(pulumi.ComponentResource):
    """A vault, a plan, and a selection by tag."""

    vault_name: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        config: BackupConfig,
        key_arn: pulumi.Input[str],
        partition: str,
        protect: bool,
        retain: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:foundation:Backup", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        vault = aws.backup.Vault(
            name,
            kms_key_arn=key_arn,
            opts=pulumi.ResourceOptions(parent=self, protect=protect, retain_on_delete=retain),
        )
        if config.locked:
            aws.backup.VaultLockConfiguration(
                name,
                backup_vault_name=vault.name,
                min_retention_days=config.retain_days,
                opts=child,
            )
        plan = aws.backup.Plan(name, rules=[plan_rule(config, vault=vault.name)], opts=child)
        role = aws.iam.Role(name, assume_role_policy=json.dumps(trust_policy()), opts=child)
        attached = [
            aws.iam.RolePolicyAttachment(
                f"{name}-{policy.rsplit('/', 1)[-1]}",
                role=role.name,
                policy_arn=f"arn:{partition}:iam::aws:policy/{policy}",
                opts=child,
            )
            for policy in SERVICE_POLICIES
        ]
        aws.backup.Selection(
            name,
            plan_id=plan.id,
            iam_role_arn=role.arn,
            selection_tags=[{"type": "STRINGEQUALS", "key": BACKUP_TAG, "value": "true"}],
            opts=pulumi.ResourceOptions(parent=self, depends_on=attached),
        )
        self.vault_name = vault.name
        self.register_outputs({"vault_name": self.vault_name})
