"""References of images that a stack builds itself."""

from collections.abc import Mapping

import pulumi

OWN_REGISTRY = "registry://"
"""Stands for the address of this stack's ECR, which holds an account number."""


def image_reference(image: str, urls: Mapping[str, pulumi.Output[str]]) -> pulumi.Input[str]:
    """`registry://<repository>:<tag>` with this stack's address put in; others stay as they are."""
    if not image.startswith(OWN_REGISTRY):
        return image
    repository, _, tag = image.removeprefix(OWN_REGISTRY).partition(":")
    if repository not in urls or not tag:
        raise pulumi.RunError(
            f"agentService.image: got '{image}'; allowed is {OWN_REGISTRY}<repository>:<tag> with "
            f"a repository of imageRegistry: {', '.join(urls) or 'none'}"
        )
    return pulumi.Output.concat(urls[repository], ":", tag)
