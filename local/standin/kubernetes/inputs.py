"""What Check does to a manifest: names, namespace, secret marks."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.standin.wire import UNKNOWN, Properties, Secret

AUTONAMED = "pulumi.com/autonamed"
SUFFIX_DIGITS = 7
LIST_SUFFIX = "List"


@dataclass(frozen=True)
class Token:
    """A resource's type, such as `kubernetes:apps/v1:Deployment`."""

    text: str

    @classmethod
    def of(cls, urn: str) -> "Token":
        # urn:pulumi:<stack>::<project>::<parent type>$<type>::<name>
        return cls(urn.split("::")[2].rsplit("$", 1)[-1])

    @property
    def api_version(self) -> str:
        return self.text.split(":")[1].removeprefix("core/")

    @property
    def kind(self) -> str:
        return self.text.split(":")[-1].removesuffix("Patch")

    @property
    def is_patch(self) -> bool:
        """A resource that changes somebody else's object."""
        return self.text.endswith("Patch")

    @property
    def is_release(self) -> bool:
        return self.text.startswith("kubernetes:helm.sh/")


def checked(
    urn: str,
    news: Properties,
    olds: Properties,
    *,
    seed: bytes,
    default_namespace: str,
    namespaced: Callable[[str, str], bool | None],
) -> Properties:
    """The inputs as they go into state; raises ValueError for a manifest without a name to patch.

    `namespaced(api_version, kind)` is None when no API server can tell.
    """
    token = Token.of(urn)
    result = {key: value for key, value in news.items() if value is not None}
    result.setdefault("apiVersion", token.api_version)
    result.setdefault("kind", token.kind)
    metadata = dict(_mapping(result.get("metadata")))
    old_metadata = _mapping(olds.get("metadata"))
    if "name" not in metadata:
        if token.is_patch:
            raise ValueError("metadata.name: a patch needs the name of the object to patch")
        _autoname(metadata, old_metadata, urn, seed)
    if "namespace" not in metadata:
        scope = namespaced(str(result["apiVersion"]), str(result["kind"]))
        if scope:
            metadata["namespace"] = default_namespace
        elif scope is None and "namespace" in old_metadata:
            metadata["namespace"] = old_metadata["namespace"]
    result["metadata"] = metadata
    return _hide_secret_data(result)


def _autoname(metadata: Properties, old: Properties, urn: str, seed: bytes) -> None:
    annotations = dict(_mapping(metadata.get("annotations")))
    if _mapping(old.get("annotations")).get(AUTONAMED) == "true":
        metadata["name"] = old["name"]
    else:
        digest = hashlib.sha256(seed or urn.encode()).hexdigest()
        metadata["name"] = f"{urn.rsplit('::', 1)[-1]}-{digest[:SUFFIX_DIGITS]}"
    metadata["annotations"] = annotations | {AUTONAMED: "true"}


def _hide_secret_data(manifest: Properties) -> Properties:
    """A Secret's content is secret whether or not the program said so."""
    if manifest.get("kind") == "Secret" and manifest.get("apiVersion") == "v1":
        for key in ("data", "stringData"):
            value = manifest.get(key)
            if value is not None and not isinstance(value, Secret) and value != UNKNOWN:
                manifest[key] = Secret(value)
    return manifest


def autonamed(inputs: Properties) -> bool:
    """Whether a replacement may stand beside the object it replaces."""
    metadata = _mapping(inputs.get("metadata"))
    return _mapping(metadata.get("annotations")).get(AUTONAMED) == "true"


def annotation(inputs: Properties, name: str) -> str | None:
    """The text of one annotation."""
    found = _mapping(_mapping(inputs.get("metadata")).get("annotations")).get(name)
    return None if found is None else str(found)


def _mapping(value: Any) -> Properties:
    return value if isinstance(value, dict) else {}
