"""The wiring of what a stack has in its AWS account, whoever made the cluster."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.backup import Backup
from components.encryption import Encryption
from components.image_registry import ImageRegistry
from components.object_storage import Bucket, ObjectStorage
from components.region import dns_suffix_of, partition_of
from infra.config import FoundationSection, given
from infra.contract import AccountOutputs
from infra.providers import aws_provider, aws_providers


@dataclass(frozen=True)
class Account:
    """Keys, buckets, images; and how to make more."""

    region: str
    number: pulumi.Output[str]
    providers: list[pulumi.ProviderResource]
    key_arns: Mapping[str, pulumi.Output[str]]
    buckets: Mapping[str, Bucket]
    registry_urls: Mapping[str, pulumi.Output[str]]

    @property
    def opts(self) -> pulumi.ResourceOptions:
        """The AWS providers alone."""
        return pulumi.ResourceOptions(providers=self.providers)

    @property
    def registry_host(self) -> pulumi.Output[str]:
        """Address of this account's ECR."""
        suffix = f".dkr.ecr.{self.region}.{dns_suffix_of(self.region)}"
        return pulumi.Output.concat(self.number, suffix)

    def role_arn(self, name: str) -> pulumi.Output[str]:
        """ARN of an IAM role of this account, out of its name (with path)."""
        partition = partition_of(self.region)
        return pulumi.Output.concat(f"arn:{partition}:iam::", self.number, f":role/{name}")


def account_of(config: FoundationSection, outputs: AccountOutputs) -> Account:
    """What another stack keeps there; what this one adds gets this one's tags."""
    known = pulumi.Output.from_input
    return Account(
        region=outputs.region,
        number=known(outputs.number),
        providers=[aws_provider(outputs.region, tags=config.resource_tags)],
        key_arns={purpose: known(arn) for purpose, arn in outputs.key_arns.items()},
        buckets={
            name: Bucket(known(each.name), known(each.arn))
            for name, each in outputs.buckets.items()
        },
        registry_urls={name: known(url) for name, url in outputs.repositories.items()},
    )


def open_account(config: FoundationSection, region: str) -> Account:
    """Everything that the stack keeps on AWS beside a cluster."""
    providers = aws_providers(region, tags=config.resource_tags)
    opts = pulumi.ResourceOptions(providers=providers)
    caller = pulumi.InvokeOutputOptions(provider=providers[0])
    number: pulumi.Output[str] = aws.get_caller_identity_output(opts=caller).account_id
    keys = Encryption(
        "encryption",
        config=given(config.encryption),
        protect=config.protect,
        retain=config.retain_on_delete,
        opts=opts,
    )
    _backup(config, keys, region, opts)
    return Account(
        region=region,
        number=number,
        providers=providers,
        key_arns=keys.key_arns,
        buckets=_buckets(config, keys, opts),
        registry_urls=_registry(config, keys, opts),
    )


def _backup(
    config: FoundationSection, keys: Encryption, region: str, opts: pulumi.ResourceOptions
) -> None:
    if config.backup is None:
        return
    Backup(
        "backup",
        config=config.backup,
        key_arn=keys.key_arns["storage"],
        partition=partition_of(region),
        protect=config.protect,
        retain=config.retain_on_delete,
        opts=opts,
    )


def _buckets(
    config: FoundationSection, keys: Encryption, opts: pulumi.ResourceOptions
) -> dict[str, Bucket]:
    if config.object_storage is None:
        return {}
    return ObjectStorage(
        "storage",
        config=config.object_storage,
        key_arn=keys.key_arns["storage"],
        protect=config.protect,
        retain=config.retain_on_delete,
        opts=opts,
    ).buckets


def _registry(
    config: FoundationSection, keys: Encryption, opts: pulumi.ResourceOptions
) -> dict[str, pulumi.Output[str]]:
    if config.image_registry is None:
        return {}
    return ImageRegistry(
        "registry",
        config=config.image_registry,
        key_arn=keys.key_arns["storage"],
        protect=config.protect,
        retain=config.retain_on_delete,
        opts=opts,
    ).urls
