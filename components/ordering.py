"""A value that is known at once, and yet only used after some resources exist."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pulumi import Input, Output, Resource

T = TypeVar("T")


def after(value: Input[T], resources: Iterable[Resource]) -> Output[T]:
    """`value` as an Output that makes its users depend on `resources`.

    A resource's own `id` orders just as well but is unknown in a preview, and with it every
    object that the name goes into could not be checked there.
    """
    known = Output.from_input(value)
    extra = set(resources)

    async def all_resources() -> set[Resource]:
        return await known.resources() | extra

    return Output(
        all_resources(),
        known.future(),  # type: ignore[arg-type]  # a secret or unknown future may hold None
        known.is_known(),
        known.is_secret(),
    )


def placed(manifest: dict[str, Any], namespaces: Mapping[str, Input[str]]) -> dict[str, Any]:
    """The manifest, waiting for its namespace where that is one of `namespaces` (by plain name)."""
    meta = manifest["metadata"]
    name = meta.get("namespace")
    if not isinstance(name, str) or name not in namespaces:
        return manifest
    return manifest | {"metadata": meta | {"namespace": namespaces[name]}}
