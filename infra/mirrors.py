"""The stack's mirrors, put in front of every image, chart and file of manifests in one place."""

from collections.abc import Mapping
from typing import Any

import pulumi

from components.custom_resource_definitions import MANIFEST_FILE
from components.helm_chart import RELEASE
from components.image_build_config import OWN_REGISTRY
from components.mirror import mirrored, mirrored_manifest, mirrored_values, with_values
from components.versions import CHARTS, Chart
from infra.config import FoundationSection

IMAGE_FIELD = "image"


def mirror_options(
    config: FoundationSection, *, own_registry: pulumi.Input[str] = ""
) -> pulumi.ResourceOptions:
    """Options whose resources, and all below them, come from the stack's mirrors."""
    manifests: str | None = getattr(config, "manifest_mirror", None)
    if not (config.chart_mirror or config.image_mirror or manifests):
        return pulumi.ResourceOptions()
    images: Any = config.image_mirror
    if config.image_mirror == OWN_REGISTRY:
        images = own_registry

    def transform(
        args: pulumi.ResourceTransformationArgs,
    ) -> pulumi.ResourceTransformationResult | None:
        props = dict(args.props)
        if args.type_ == RELEASE:
            _release(props, charts=config.chart_mirror, images=images)
        elif args.type_ == MANIFEST_FILE and manifests:
            props["file"] = mirrored_manifest(str(props["file"]), manifests)
        elif args.type_.startswith("kubernetes:") and images:
            props = _with_images(props, images)
        else:
            return None
        return pulumi.ResourceTransformationResult(props, args.opts)

    return pulumi.ResourceOptions(transformations=[transform])


def _release(props: dict[str, Any], *, charts: str | None, images: Any) -> None:
    """A Helm release whose chart and images come from the mirrors; changes `props`."""
    name, chart = _known(props)
    if charts:
        props["chart"] = f"{charts.rstrip('/')}/{chart.name}"
        props.pop("repositoryOpts", None)
    if images:
        props["values"] = with_values(props["values"], mirrored_values(name, images))


def _known(props: Mapping[str, Any]) -> tuple[str, Chart]:
    """The pinned chart that a release installs."""
    options = props.get("repositoryOpts") or {}
    folder, _, last = str(props["chart"]).rpartition("/")
    repository = folder or options.get("repo")
    for name, chart in CHARTS.items():
        if chart.name == last and chart.repository.rstrip("/") == str(repository).rstrip("/"):
            return name, chart
    raise pulumi.RunError(
        f"chart '{last}' of '{repository}' is not in components/versions.py: only a pinned chart "
        "can come from a mirror"
    )


def _with_images(value: Any, mirror: Any) -> Any:
    """`value` with every field `image` in it, however deep, led to the mirror."""
    if isinstance(value, Mapping):
        return {
            key: _image(each, mirror) if key == IMAGE_FIELD else _with_images(each, mirror)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_with_images(each, mirror) for each in value]
    return value


def _image(value: Any, mirror: Any) -> Any:
    """A reference, an Output of one, or a structure that only has the same name."""
    if isinstance(value, str):
        return mirrored(value, mirror)
    if isinstance(value, pulumi.Output):
        both = pulumi.Output.all(value, mirror)
        return both.apply(lambda it: mirrored(it[0], it[1], join=_joined))
    return _with_images(value, mirror)


def _joined(*parts: str) -> str:
    return "".join(parts)
