"""Private copies of public registries: where a chart, an image or a file of manifests comes from.

A mirror keeps upstream's names behind its own: `quay.io/prometheus/prometheus` lies at
`<mirror>/quay.io/prometheus/prometheus`. That is what a pull-through cache of ECR, Harbor or
Artifactory makes by itself, and names of two registries never collide.
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pulumi import Output

CHART_IMAGES_FILE = Path(__file__).with_name("chart_images.yaml")
DOCKER_HUB = "docker.io"
PRIVATE_SUFFIXES = (".amazonaws.com", ".amazonaws.com.cn", ".local", ".internal")
"""Registries of an account, the local plane's processes: nothing public is behind these names."""

Join = Callable[..., Any]


@cache
def chart_images() -> dict[str, dict[str, str]]:
    """Chart to path in its values to what stands there upstream."""
    found: dict[str, dict[str, str]] = yaml.safe_load(CHART_IMAGES_FILE.read_text("utf-8"))
    return found


def full_reference(image: str) -> str:
    """The reference with its host written out: no host means Docker Hub."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image
    return f"{DOCKER_HUB}/{image if slash else f'library/{image}'}"


def is_public(image: str) -> bool:
    """Whether nodes would ask a registry of others for it."""
    host = full_reference(image).partition("/")[0].partition(":")[0]
    return not host.endswith(PRIVATE_SUFFIXES) and host != "localhost"


def mirrored(image: str, mirror: Any, *, join: Join = Output.concat) -> Any:
    """Where `image` lies in the mirror; what is not public, or there already, stays."""
    inside = isinstance(mirror, str) and image.startswith(f"{mirror}/")
    if inside or not is_public(image):
        return image
    return join(mirror, "/", full_reference(image))


def mirrored_manifest(url: str, mirror: str) -> str:
    """Where a file of manifests lies in the mirror: a folder, or an address over HTTPS."""
    return f"{mirror.rstrip('/')}/{url.removeprefix('https://')}"


def mirrored_values(chart: str, mirror: Any, *, join: Join = Output.concat) -> dict[str, Any]:
    """Values that point every image of the chart to the mirror; KeyError for an unknown chart."""
    values: dict[str, Any] = {}
    for path, upstream in chart_images()[chart].items():
        *folders, last = path.split(".")
        here = values
        for folder in folders:
            here = here.setdefault(folder, {})
        here[last] = join(mirror, "/", upstream)
    return values


def with_values(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with those of `over` laid upon them, map by map."""
    merged = dict(values)
    for key, value in over.items():
        under = merged.get(key)
        both = isinstance(under, Mapping) and isinstance(value, Mapping)
        merged[key] = with_values(under, value) if both else value  # type: ignore[arg-type] # both are maps
    return merged
