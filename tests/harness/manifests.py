"""Every Kubernetes object that a stack registers, as a manifest, without an engine or a cluster."""

from typing import Any

from tests.harness.recording import Registered, Secret
from tests.infra.platforms import built

NO_OBJECTS = ("kubernetes:helm.sh/", "kubernetes:yaml/")
"""Charts and remote files: what is in them is not known here."""


def manifests(name: str) -> list[dict[str, Any]]:
    """The objects of a stack in the order in which they are registered."""
    return [
        _manifest(each)
        for each in built(name).resources
        if each.type.startswith("kubernetes:") and not each.type.startswith(NO_OBJECTS)
    ]


def _manifest(resource: Registered) -> dict[str, Any]:
    group_version, _, kind = resource.type.removeprefix("kubernetes:").rpartition(":")
    api_version = group_version.removeprefix("core/")
    manifest: dict[str, Any] = {"apiVersion": api_version, "kind": kind}
    body: dict[str, Any] = _plain(resource.inputs)
    return manifest | body


def _plain(value: Any) -> Any:
    """Without the marks of secrets, and whole numbers as such: the wire has floats only."""
    if isinstance(value, Secret):
        return _plain(value.value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def identity(manifest: dict[str, Any]) -> str:
    """`NetworkPolicy ai-agents/default-deny`."""
    metadata = manifest["metadata"]
    where = [metadata[key] for key in ("namespace", "name") if metadata.get(key)]
    return f"{manifest['kind']} {'/'.join(where)}"
