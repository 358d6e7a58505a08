"""The environment of a container, resolved as the kubelet does."""

from collections.abc import Mapping

from local.node_agent.expansion import expand
from local.node_agent.objects import Manifest
from local.node_agent.sources import SourceMissing, Sources


def resolve(container: Manifest, sources: Sources, image: Mapping[str, str]) -> dict[str, str]:
    """`image` (what an image would set), then `envFrom`, then `env`; later entries win.

    Raises SourceMissing for a required ConfigMap, Secret or key that does not exist.
    """
    found: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        found |= _from(source, sources)
    for variable in container.get("env") or []:
        value = _value(variable, found, sources, container["name"])
        if value is not None:
            found[variable["name"]] = value
    return {**image, **found}


def _from(source: Manifest, sources: Sources) -> dict[str, str]:
    prefix = source.get("prefix", "")
    if reference := source.get("configMapRef"):
        read = sources.config_data
    else:
        reference, read = source["secretRef"], sources.secret_data
    try:
        data = read(reference["name"])
    except SourceMissing:
        if reference.get("optional"):
            return {}
        raise
    return {prefix + key: _text(value) for key, value in data.items()}


def _value(
    variable: Manifest, before: Mapping[str, str], sources: Sources, container: str
) -> str | None:
    origin = variable.get("valueFrom")
    if not origin:
        return expand(variable.get("value") or "", before)
    if reference := origin.get("fieldRef"):
        return sources.field(reference["fieldPath"])
    if reference := origin.get("resourceFieldRef"):
        return sources.resource(reference, container)
    if reference := origin.get("configMapKeyRef"):
        return _key(reference, "configmap", sources)
    if reference := origin.get("secretKeyRef"):
        return _key(reference, "secret", sources)
    raise SourceMissing(f"env {variable['name']}: valueFrom {sorted(origin)} is not supported")


def _key(reference: Manifest, kind: str, sources: Sources) -> str | None:
    read = sources.config_data if kind == "configmap" else sources.secret_data
    optional, key = reference.get("optional"), reference["key"]
    try:
        data = read(reference["name"])
    except SourceMissing:
        if optional:
            return None
        raise
    if key in data:
        return _text(data[key])
    if optional:
        return None
    where = f"{kind} {sources.namespace}/{reference['name']}"
    raise SourceMissing(f"couldn't find key {key} in {where}")


def _text(value: bytes) -> str:
    # NUL ends an environment entry, so it can't be part of one.
    return value.decode(errors="replace").replace("\0", "")
