"""References of images that a stack keeps in its own registry, or builds itself."""

from collections.abc import Mapping

import pulumi

from components.image_build_config import OWN_BUILD, OWN_REGISTRY, ImageBuildConfig
from infra.config import CHECKOUT
from infra.providers import docker_provider


class OwnImages:
    """The images of this stack's ECR."""

    def __init__(
        self,
        urls: Mapping[str, pulumi.Output[str]] | None = None,
        built: Mapping[str, pulumi.Output[str]] | None = None,
    ) -> None:
        """`urls` and `built` are by repository; a built one is a reference with its digest."""
        self._urls = urls or {}
        self._built = built or {}

    def reference(self, image: str) -> pulumi.Input[str]:
        """`image` with this stack's address put in; images of others stay as they are.

        The rules of a stack file see to it that the repository is there.
        """
        if image.startswith(OWN_BUILD):
            return self._built[image.removeprefix(OWN_BUILD)]
        if not image.startswith(OWN_REGISTRY):
            return image
        repository, _, tag = image.removeprefix(OWN_REGISTRY).partition(":")
        return pulumi.Output.concat(self._urls[repository], ":", tag)


def build_images(
    builds: Mapping[str, ImageBuildConfig],
    urls: Mapping[str, pulumi.Output[str]],
    *,
    opts: pulumi.ResourceOptions,
) -> dict[str, pulumi.Output[str]]:
    """Every image of `imageBuilds`, by repository."""
    if not builds:
        return {}
    # The builder's SDK takes half a second to load, and few stacks build.
    from components.image_build import ImageBuild

    providers = pulumi.ResourceOptions.merge(
        opts, pulumi.ResourceOptions(providers=[docker_provider()])
    )
    return {
        repository: ImageBuild(
            repository.replace("/", "-"),
            config=settings,
            root=CHECKOUT,
            repository_url=urls[repository],
            opts=providers,
        ).reference
        for repository, settings in builds.items()
    }
