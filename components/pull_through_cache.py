"""ECR pull-through caches: the first pull of a public image fetches it, later ones stay in AWS."""

import json
from collections.abc import Mapping
from typing import Any, Final, Literal, Self

import pulumi
import pulumi_aws as aws
from pydantic import Field, model_validator

from components.base import ConfigModel

Upstream = Literal["docker.io", "ghcr.io", "public.ecr.aws", "quay.io", "registry.k8s.io"]

UPSTREAMS: Final[dict[Upstream, str]] = {
    "docker.io": "registry-1.docker.io",
    "ghcr.io": "ghcr.io",
    "public.ecr.aws": "public.ecr.aws",
    "quay.io": "quay.io",
    "registry.k8s.io": "registry.k8s.io",
}
"""Host in an image's name, which is also the prefix of its cache, to the address that ECR asks."""
NEEDS_CREDENTIALS: Final = ("docker.io", "ghcr.io")
"""https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html"""
CREDENTIALS_PREFIX: Final = "ecr-pullthroughcache/"
"""ECR reads no other entries of Secrets Manager."""
KEEP_DAYS: Final = 30


class UpstreamConfig(ConfigModel):
    """One registry to cache."""

    credentials: str | None = Field(
        default=None, pattern=r"^ecr-pullthroughcache/[A-Za-z0-9_+=.@/-]{1,200}$"
    )
    """Entry of Secrets Manager with `username` and `accessToken`; docker.io and ghcr.io need it."""


class PullThroughConfig(ConfigModel):
    """The registries that this account's ECR stands in for."""

    upstreams: dict[Upstream, UpstreamConfig] = Field(min_length=1)
    """By the host in the images' names."""

    @model_validator(mode="after")
    def _with_credentials(self) -> Self:
        lacking = [
            host
            for host, upstream in self.upstreams.items()
            if host in NEEDS_CREDENTIALS and upstream.credentials is None
        ]
        if lacking:
            raise ValueError(
                f"{', '.join(lacking)}: ECR asks these registries with credentials only; "
                f"name an entry of Secrets Manager ('{CREDENTIALS_PREFIX}…') as credentials"
            )
        return self


def import_policy(partition: str) -> dict[str, Any]:
    """What a node needs so that its first pull of a cached image may fill the cache.

    The repositories lie below the prefixes of the caches; ECR's registry is the node's own.
    """
    statement = {
        "Sid": "FillPullThroughCaches",
        "Effect": "Allow",
        "Action": ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"],
        "Resource": [f"arn:{partition}:ecr:*:*:repository/{host}/*" for host in UPSTREAMS],
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def cache_lifecycle() -> dict[str, Any]:
    """What has not been asked for in a month is fetched again when it is."""
    rule = {
        "rulePriority": 1,
        "description": "a cache may forget",
        "selection": {
            "tagStatus": "any",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": KEEP_DAYS,
        },
        "action": {"type": "expire"},
    }
    return {"rules": [rule]}


class PullThroughCaches(pulumi.ComponentResource):
    """A rule for each upstream, and what repositories made by it look like."""

    def __init__(
        self,
        name: str,
        *,
        upstreams: Mapping[Upstream, UpstreamConfig],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:foundation:PullThroughCaches", name, None, opts)
        for host, upstream in upstreams.items():
            template = aws.ecr.RepositoryCreationTemplate(
                f"{name}-{host}",
                prefix=host,
                description=f"images of {host}",
                applied_fors=["PULL_THROUGH_CACHE"],
                # Upstream's floating tags move, and the cache follows them.
                image_tag_mutability="MUTABLE",
                encryption_configurations=[{"encryption_type": "AES256"}],
                lifecycle_policy=json.dumps(cache_lifecycle()),
                opts=pulumi.ResourceOptions(parent=self),
            )
            aws.ecr.PullThroughCacheRule(
                f"{name}-{host}",
                ecr_repository_prefix=host,
                upstream_registry_url=UPSTREAMS[host],
                credential_arn=self._credentials(upstream),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[template]),
            )
        self.register_outputs({})

    def _credentials(self, upstream: UpstreamConfig) -> pulumi.Output[str] | None:
        """The ARN of the entry; its content never reaches this program."""
        if upstream.credentials is None:
            return None
        found: pulumi.Output[str] = aws.secretsmanager.get_secret_output(
            name=upstream.credentials, opts=pulumi.InvokeOutputOptions(parent=self)
        ).arn
        return found
