"""ECR repositories: tags that never move, every push scanned, old images removed."""

import json
from typing import Any

import pulumi
from pulumi_aws import ecr
from pydantic import Field, PositiveInt

from components.base import ConfigModel
from components.pull_through_cache import PullThroughCaches, PullThroughConfig
from components.versions import RUNTIME_IMAGE_REPOSITORY


class ImageRegistryConfig(ConfigModel):
    """The platform's own images."""

    repositories: tuple[str, ...] = Field(default=(RUNTIME_IMAGE_REPOSITORY,), min_length=1)
    """Repository names."""
    keep_images: PositiveInt
    """Newest images kept in each repository; what still runs must be among them."""
    pull_through: PullThroughConfig | None = None
    """Public registries that this account's ECR stands in for."""


def lifecycle_policy(config: ImageRegistryConfig) -> dict[str, Any]:
    """Untagged images go after a day, tagged ones when there are too many."""
    untagged = {
        "rulePriority": 1,
        "description": "untagged images are left over from failed pushes",
        "selection": {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": 1,
        },
        "action": {"type": "expire"},
    }
    too_many = {
        "rulePriority": 2,
        "description": f"keep the newest {config.keep_images}",
        "selection": {
            "tagStatus": "any",
            "countType": "imageCountMoreThan",
            "countNumber": config.keep_images,
        },
        "action": {"type": "expire"},
    }
    return {"rules": [untagged, too_many]}


class ImageRegistry(pulumi.ComponentResource):
    """Repositories by name."""

    urls: dict[str, pulumi.Output[str]]
    """Repository name to the reference that images are pushed to, without a tag."""

    def __init__(
        self,
        name: str,
        *,
        config: ImageRegistryConfig,
        key_arn: pulumi.Input[str],
        protect: bool,
        retain: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:foundation:ImageRegistry", name, None, opts)
        self.urls = {}
        for repository in config.repositories:
            logical = f"{name}-{repository.replace('/', '-')}"
            made = ecr.Repository(
                logical,
                name=repository,
                image_tag_mutability="IMMUTABLE",
                image_scanning_configuration={"scan_on_push": True},
                encryption_configurations=[{"encryption_type": "KMS", "kms_key": key_arn}],
                force_delete=not protect,
                opts=pulumi.ResourceOptions(parent=self, protect=protect, retain_on_delete=retain),
            )
            ecr.LifecyclePolicy(
                logical,
                repository=made.name,
                policy=json.dumps(lifecycle_policy(config)),
                opts=pulumi.ResourceOptions(parent=self),
            )
            self.urls[repository] = made.repository_url
        if config.pull_through is not None:
            PullThroughCaches(
                f"{name}-cache",
                upstreams=config.pull_through.upstreams,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"urls": self.urls})
