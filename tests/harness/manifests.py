"""Every Kubernetes object that a stack registers, as a manifest, without an engine or a cluster."""

from functools import cache
from typing import Any

from infra import stack
from infra.config import PlatformConfig, TenantStackConfig, parse
from tests.engine.golden_urns import data_of, stack_name, state_folder
from tests.harness.cloud import CALLER, cloud_outputs
from tests.harness.recording import Recording, Registered, Secret, record
from tests.infra.stack_data import stack_file

NO_OBJECTS = ("kubernetes:helm.sh/", "kubernetes:yaml/")
"""Charts and remote files: what is in them is not known here."""


@cache
def built(name: str) -> Recording:
    """Everything that a stack registers, by the name of its golden file."""
    data, region = data_of(name), stack_file(stack_name(name)).get("aws:region")
    with state_folder():
        if "tenant" in data:
            tenant = parse(data, TenantStackConfig, region=region)
            return record(lambda: stack.build(tenant, region))
        config = parse(data, PlatformConfig, region=region)
        return record(lambda: stack.build(config, region), answers=CALLER, outputs=cloud_outputs)


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
