"""Images and charts: which one exactly, and from where."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .pods import WORKLOADS, containers
from .rule import TEXT, Finding, Resource, Rule, Setting, Settings, at, known

RELEASE = "kubernetes:helm.sh/v3:Release"
OBJECTS = (*WORKLOADS, "kubernetes:kagent.dev/")
LOOSE = frozenset({"latest", "main", "master", "edge", "nightly", "stable"})
PRIVATE = (".amazonaws.com", ".amazonaws.com.cn", ".local", ".internal")
"""Hosts of an account and of a machine: nodes ask nobody else for these."""


def images(resource: Resource) -> Iterator[tuple[str, Any]]:
    """Place and reference of every image that an object's Pods run."""
    for container in containers(resource):
        yield f"image of container {container.get('name')!r}", container.get("image")
    if resource.type.startswith("kubernetes:kagent.dev/") and resource.type.endswith(":Agent"):
        image = at(resource.props, "spec", "byo", "deployment", "image")
        if image is not None:
            yield "spec.byo.deployment.image", image


def is_exact(image: str) -> bool:
    """Whether a reference has a digest, or a tag that nobody is used to move."""
    if "@sha256:" in image:
        return True
    name, colon, tag = image.rpartition(":")
    return bool(colon and name) and "/" not in tag and tag not in LOOSE


def host(image: str) -> str:
    """The registry that a node asks; no host means Docker Hub."""
    first, slash, _ = image.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first.partition(":")[0] if named else "docker.io"


def _exact(resource: Resource, _: Settings) -> Iterable[Finding]:
    for place, image in images(resource):
        if known(image) and not is_exact(str(image)):
            yield Finding(
                f"{place} is {image!r}",
                "a digest, or a tag of one version",
                "name the version in components/versions.py or in the stack's file",
            )


def _mirrored(resource: Resource, settings: Settings) -> Iterable[Finding]:
    mirror = str(settings["mirror"] or "")
    if not mirror:
        return
    for place, image in images(resource):
        if not known(image) or str(image).startswith(f"{mirror}/"):
            continue
        if not host(str(image)).endswith(PRIVATE):
            yield Finding(
                f"{place} is {image!r}", f"{mirror}/…", "copy it there; `imageMirror` does the rest"
            )


def _pinned_chart(resource: Resource, _: Settings) -> Iterable[Finding]:
    version = resource.props.get("version")
    if known(version) and not _is_version(str(version or "")):
        yield Finding(
            f"version is {version!r}", "one exact version", "pin it in components/versions.py"
        )


def _is_version(text: str) -> bool:
    """Helm takes ranges as well (`^1.2`, `>=1`, `1.x`)."""
    digits = text.removeprefix("v").partition("-")[0].partition("+")[0].split(".")
    return len(digits) >= 2 and all(part.isdigit() for part in digits)


def _mirror_of(stack: Mapping[str, Any]) -> Any:
    """`registry://` is the stack's own ECR, which no preview knows: private hosts pass anyway."""
    return stack.get("imageMirror")


RULES = (
    Rule(
        "image-exact",
        "mandatory",
        "Every image is named by its digest or an exact tag.",
        _exact,
        of=OBJECTS,
    ),
    Rule(
        "image-mirror",
        "mandatory",
        "Where there is a mirror, every image comes from it.",
        _mirrored,
        of=OBJECTS,
        settings={
            "mirror": Setting(
                TEXT, "registry; as `imageMirror` of the stack's file", "", _mirror_of
            )
        },
    ),
    Rule(
        "chart-exact",
        "mandatory",
        "Every chart has one exact version.",
        _pinned_chart,
        of=(RELEASE,),
    ),
)
