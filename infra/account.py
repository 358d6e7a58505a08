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
from infra.config import PROJECT, PlatformConfig, given
from infra.images import OwnImages, build_images
from infra.providers import aws_providers


@dataclass(frozen=True)
class Account:
    """Keys, buckets, images; and how to make more."""

    region: str
    number: pulumi.Output[str]
    providers: list[pulumi.ProviderResource]
    key_arns: Mapping[str, pulumi.Output[str]]
    buckets: Mapping[str, Bucket]
    registry_urls: Mapping[str, pulumi.Output[str]]
    images: OwnImages

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


def open_account(config: PlatformConfig, region: str) -> Account:
    """Everything that the stack keeps on AWS beside a cluster."""
    tags = {"Project": PROJECT, "Environment": config.environment} | config.tags
    providers = aws_providers(region, tags=tags)
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
    urls = _registry(config, keys, opts)
    return Account(
        region=region,
        number=number,
        providers=providers,
        key_arns=keys.key_arns,
        buckets=_buckets(config, keys, opts),
        registry_urls=urls,
        images=OwnImages(urls, build_images(config, urls, opts=opts)),
    )


def _backup(
    config: PlatformConfig, keys: Encryption, region: str, opts: pulumi.ResourceOptions
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
    config: PlatformConfig, keys: Encryption, opts: pulumi.ResourceOptions
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
    config: PlatformConfig, keys: Encryption, opts: pulumi.ResourceOptions
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
