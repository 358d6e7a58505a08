"""KMS keys of the platform: one for the cluster's Secrets, one for stored data."""

from typing import Annotated, Literal

import pulumi
from pulumi_aws import kms
from pydantic import Field, StringConstraints

from components.base import ConfigModel

Purpose = Literal["cluster", "storage"]
KeyArn = Annotated[
    str,
    StringConstraints(pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+$"),
]
PURPOSES: tuple[Purpose, ...] = ("cluster", "storage")


class EncryptionConfig(ConfigModel):
    """What a stack decides about its keys."""

    deletion_window_days: int = Field(ge=7, le=30)
    """How long a deleted key can be brought back; without it its data is lost."""
    existing_keys: dict[Purpose, KeyArn] = Field(default_factory=dict)
    """ARNs of keys to use in place of own ones."""


class Encryption(pulumi.ComponentResource):
    """A rotating key for each purpose; IAM policies decide who uses it."""

    key_arns: dict[str, pulumi.Output[str]]
    """By purpose."""

    def __init__(
        self,
        name: str,
        *,
        config: EncryptionConfig,
        protect: bool,
        retain: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:foundation:Encryption", name, None, opts)
        self.key_arns = {}
        for purpose in PURPOSES:
            if purpose in config.existing_keys:
                self.key_arns[purpose] = pulumi.Output.from_input(config.existing_keys[purpose])
                continue
            key = kms.Key(
                f"{name}-{purpose}",
                description=f"agentic-platform: {purpose}",
                enable_key_rotation=True,
                deletion_window_in_days=config.deletion_window_days,
                opts=pulumi.ResourceOptions(parent=self, protect=protect, retain_on_delete=retain),
            )
            kms.Alias(
                f"{name}-{purpose}",
                target_key_id=key.key_id,
                opts=pulumi.ResourceOptions(parent=self),
            )
            self.key_arns[purpose] = key.arn
        self.register_outputs({"key_arns": self.key_arns})
