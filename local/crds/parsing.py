"""CRD files as manifests: parsed once, kept as JSON, because megabytes of YAML take seconds."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import yaml

from local.crds.lock import Definition
from local.kube import Manifest
from local.paths import Cache
from local.report import UserError

SOURCE_ANNOTATION = "agentic.dev/crd-source"
"""`sha256:<of the file>`, or `placeholder`: tells whether a live CRD is the wanted one."""


def manifests(content: bytes, where: str, cache: Cache) -> list[Manifest]:
    """The CRDs in a file, each marked with the file's checksum; raises UserError for bad YAML."""
    digest = hashlib.sha256(content).hexdigest()
    kept = cache.downloads / "crds" / f"{digest}.json"
    try:
        found: list[Manifest] = json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = _parse(content, where)
        _keep(kept, found)
    for crd in found:
        annotations = crd["metadata"].setdefault("annotations", {})
        annotations[SOURCE_ANNOTATION] = f"sha256:{digest}"
    return found


def placeholder(definition: Definition) -> Manifest:
    """A CRD that accepts any body: enough to create objects, no check of what they say."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    versions = [
        {
            "name": version,
            "served": True,
            "storage": number == 0,
            "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": schema},
        }
        for number, version in enumerate(definition.versions)
    ]
    names = {
        "plural": definition.plural,
        "singular": definition.kind.lower(),
        "kind": definition.kind,
        "listKind": f"{definition.kind}List",
    }
    annotations = {SOURCE_ANNOTATION: "placeholder"}
    if definition.group.endswith(".k8s.io"):
        # The API server wants a word about who approved a CRD in a group of the project's own.
        annotations["api-approved.kubernetes.io"] = "unapproved, a local placeholder"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": definition.name, "annotations": annotations},
        "spec": {
            "group": definition.group,
            "names": names,
            "scope": definition.scope,
            "versions": versions,
        },
    }


def _parse(content: bytes, where: str) -> list[Manifest]:
    try:
        documents: list[Any] = list(yaml.load_all(content, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        raise UserError(f"{where}: not YAML: {str(error).splitlines()[0]}") from error
    found = [
        document
        for document in documents
        if isinstance(document, dict) and document.get("kind") == "CustomResourceDefinition"
    ]
    if not found:
        raise UserError(f"{where}: holds no CustomResourceDefinition")
    for crd in found:
        crd.pop("status", None)
    return found


def _keep(file: Path, found: list[Manifest]) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(found), encoding="utf-8")
    draft.replace(file)
