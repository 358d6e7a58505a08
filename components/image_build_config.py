"""What a stack decides about images that it builds; the builder's slow SDK is not needed here."""

from typing import Final, Literal

from pydantic import Field

from components.base import ConfigModel

OWN_REGISTRY: Final = "registry://"
"""Stands for the address of this stack's ECR, which holds an account number."""
OWN_BUILD: Final = "build://"
"""Stands for what this stack builds out of its checkout and pushes to its ECR."""


class ImageBuildConfig(ConfigModel):
    """How one image is built; what goes into it says `<dockerfile>.dockerignore`."""

    dockerfile: str = Field(default="agent_runtime/Dockerfile", pattern=r"^[\w.-]+(/[\w.-]+)*$")
    """Path in the checkout."""
    platforms: tuple[Literal["linux/amd64", "linux/arm64"], ...] = Field(
        default=("linux/amd64",), min_length=1
    )
    """What the nodes of its Pods are."""
    target: str | None = None
    """Stage of the Dockerfile; the last one when left out."""
    arguments: dict[str, str] = Field(default_factory=dict)
    """Build arguments; they end up in the image's history, so no secrets."""
