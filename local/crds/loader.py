"""Getting CRDs into an API server: fast, once, and never without saying what is missing."""

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from local.crds.lock import select
from local.crds.parsing import SOURCE_ANNOTATION, manifests, placeholder
from local.crds.sources import Origin, Sources
from local.kube import ApiError, KubeClient, Manifest, UnknownKind
from local.paths import Cache
from local.report import Progress, UserError

API_VERSION = "apiextensions.k8s.io/v1"
KIND = "CustomResourceDefinition"
PARALLEL = 4
SERVED_SECONDS = 120.0
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class LoadedCrd:
    """One CRD that the API server serves now."""

    name: str
    kind: str
    group: str
    origin: Origin | Literal["own", "placeholder"]
    """Where its schema came from; a placeholder has none."""
    changed: bool
    """False when the API server had it already."""


def load(
    kubeconfig: Path,
    names: Sequence[str | Path],
    *,
    cache: Cache | None = None,
    progress: Progress | None = None,
    sources: Sources | None = None,
) -> list[LoadedCrd]:
    """Load CRDs by name (see `select`) or, for files of our own, by path.

    A file that no source has becomes a placeholder for its kinds, said through `progress`. Raises
    UserError for an unknown name, a wrong checksum, or a CRD that the API server refuses.
    """
    cache = cache or Cache.default()
    progress = progress or Progress()
    sources = sources or Sources(cache)
    wanted = list(_own(names, cache)) + list(_locked(names, cache, sources))
    _say_placeholders(wanted, sources, progress)
    with KubeClient.from_kubeconfig(kubeconfig) as client:
        present = _present(client)
        with ThreadPoolExecutor(PARALLEL) as pool:
            loaded = list(pool.map(lambda item: _load(client, item, present), wanted))
        _await_served(client, wanted)
    return loaded


@dataclass(frozen=True)
class _Wanted:
    origin: Origin | Literal["own", "placeholder"]
    manifest: Manifest

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])


def _own(names: Sequence[str | Path], cache: Cache) -> Iterable[_Wanted]:
    for path in (name for name in names if isinstance(name, Path)):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path}: can't be read: {error.strerror}") from error
        for manifest in manifests(content, str(path), cache):
            yield _Wanted("own", manifest)


def _locked(names: Sequence[str | Path], cache: Cache, sources: Sources) -> Iterable[_Wanted]:
    for project, file in select([name for name in names if isinstance(name, str)]):
        found = sources.read(project, file)
        if found is None:
            for definition in file.crds:
                yield _Wanted("placeholder", placeholder(definition))
            continue
        origin, content = found
        for manifest in manifests(content, f"{project.folder}/{file.file}", cache):
            yield _Wanted(origin, manifest)


def _say_placeholders(wanted: list[_Wanted], sources: Sources, progress: Progress) -> None:
    kinds = [
        item.manifest["spec"]["names"]["kind"] for item in wanted if item.origin == "placeholder"
    ]
    if kinds:
        why = f" ({sources.unreachable})" if sources.unreachable else ""
        progress.notice(
            f"PLACEHOLDER CRDs, which accept any body, for {', '.join(sorted(kinds))}: no source "
            f"has their schemas{why}; go online or set AGENTIC_CRDS to a folder that has them"
        )


def _present(client: KubeClient) -> dict[str, Manifest]:
    """Name → metadata alone: whole CRDs are megabytes."""
    media = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    answer = client.request("GET", client.path(API_VERSION, KIND), accept=media)
    return {item["metadata"]["name"]: item["metadata"] for item in answer.get("items") or []}


def _load(client: KubeClient, wanted: _Wanted, present: dict[str, Manifest]) -> LoadedCrd:
    live = present.get(wanted.name)
    mark = wanted.manifest["metadata"]["annotations"][SOURCE_ANNOTATION]
    is_same = live is not None and (live.get("annotations") or {}).get(SOURCE_ANNOTATION) == mark
    if not is_same:
        _put(client, wanted, live)
    spec = wanted.manifest["spec"]
    return LoadedCrd(
        wanted.name, spec["names"]["kind"], spec["group"], wanted.origin, changed=not is_same
    )


def _put(client: KubeClient, wanted: _Wanted, live: Manifest | None) -> None:
    manifest = wanted.manifest
    try:
        # `create`, not `apply`: the bookkeeping of a server-side apply doubles a large CRD.
        if live is None:
            client.create(manifest, field_validation="Warn")
            return
        metadata = manifest["metadata"] | {"resourceVersion": live["resourceVersion"]}
        client.replace(manifest | {"metadata": metadata})
    except ApiError as error:
        raise UserError(f"CRD {wanted.name}: the API server refuses it: {error.message}") from error


def _await_served(client: KubeClient, wanted: Sequence[_Wanted]) -> None:
    """Until discovery names every kind: that is when objects can be created.

    The CRDs' own conditions say so a moment too early, and reading them moves megabytes.
    """
    deadline = time.monotonic() + SERVED_SECONDS
    for item in wanted:
        spec = item.manifest["spec"]
        served = next(version["name"] for version in spec["versions"] if version["served"])
        api_version = f"{spec['group']}/{served}"
        while not _is_served(client, api_version, spec["names"]["kind"]):
            if time.monotonic() > deadline:
                raise UserError(_why_not(client, item.name))
            time.sleep(POLL_SECONDS)


def _is_served(client: KubeClient, api_version: str, kind: str) -> bool:
    try:
        client.resource_type(api_version, kind)
    except UnknownKind:
        return False
    return True


def _why_not(client: KubeClient, name: str) -> str:
    found = client.find(API_VERSION, KIND, name) or {}
    conditions = (found.get("status") or {}).get("conditions") or []
    reasons = [str(c.get("message")) for c in conditions if c.get("status") == "False"]
    why = "; ".join(reasons) or "the API server is too busy"
    return f"CRD {name} was not served in {SERVED_SECONDS:g} s: {why}"
