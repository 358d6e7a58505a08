"""An image of this checkout: built, pushed to a registry, known by its digest."""

from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_docker_build as docker_build

from components.build_context import content_tag
from components.image_build_config import ImageBuildConfig

FROM_PROGRAM = ".."
"""The checkout, seen from `infra/`, where Pulumi runs the program and its plugins."""


def image_spec(
    config: ImageBuildConfig, *, repository_url: Any, tag: str, registry: Any
) -> dict[str, Any]:
    """Arguments of the build; the paths are relative, so that every checkout gives the same."""
    return {
        "context": {"location": FROM_PROGRAM},
        "dockerfile": {"location": f"{FROM_PROGRAM}/{config.dockerfile}"},
        "target": config.target,
        "platforms": [*config.platforms],
        "build_args": {"VERSION": tag} | config.arguments,
        "tags": [pulumi.Output.concat(repository_url, ":", tag)],
        "registries": [registry],
        "push": True,
        # A preview says that it will be built; it needs no builder and pushes nothing.
        "build_on_preview": False,
    }


class ImageBuild(pulumi.ComponentResource):
    """One image in ECR.

    Its tag is made from its sources: tags of the repository never move, and an unchanged checkout
    has nothing to build.
    """

    reference: pulumi.Output[str]
    """`<repository>:<tag>@sha256:<digest>`."""

    def __init__(
        self,
        name: str,
        *,
        config: ImageBuildConfig,
        root: Path,
        repository_url: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`root` is the checkout; `opts` carries the AWS and the docker-build provider."""
        super().__init__("agentic:foundation:ImageBuild", name, None, opts)
        tag = content_tag(
            root, config.dockerfile, config.target or "", *config.platforms, *_texts(config)
        )
        token = aws.ecr.get_authorization_token_output(opts=pulumi.InvokeOutputOptions(parent=self))
        registry = {
            "address": token.proxy_endpoint,
            "username": token.user_name,
            "password": pulumi.Output.secret(token.password),
        }
        image = docker_build.Image(
            name,
            **image_spec(config, repository_url=repository_url, tag=tag, registry=registry),
            opts=pulumi.ResourceOptions(
                parent=self,
                # The repository keeps what Pods still run until its lifecycle policy removes it.
                retain_on_delete=True,
            ),
        )
        self.reference = image.ref
        self.register_outputs({"reference": self.reference})


def _texts(config: ImageBuildConfig) -> list[str]:
    return [f"{key}={value}" for key, value in sorted(config.arguments.items())]
