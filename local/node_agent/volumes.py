"""Which files a Pod's ConfigMap, Secret, downward API and projected volumes hold."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from local.node_agent.objects import Manifest
from local.node_agent.sources import SourceMissing, Sources

FILE_KINDS = ("configMap", "secret", "downwardAPI", "projected")
DEFAULT_MODE = 0o644
OWNER_ONLY = 0o700


@dataclass(frozen=True)
class File:
    """One file of a volume; `secret` ones are closed to all but their owner."""

    content: bytes
    mode: int = DEFAULT_MODE


Files = dict[str, File]
"""By path inside the volume."""


@dataclass(frozen=True)
class TokenRequest:
    """A service account token that a projected volume wants."""

    path: str
    audience: str
    expiration_seconds: int


Tokens = Callable[[TokenRequest], str]


def token_requests(volume: Manifest) -> list[TokenRequest]:
    """The tokens to fetch before `files` can be asked."""
    projected = (volume.get("projected") or {}).get("sources") or []
    wanted = [source["serviceAccountToken"] for source in projected if _is_token(source)]
    return [
        TokenRequest(w["path"], w.get("audience", ""), int(w.get("expirationSeconds") or 3600))
        for w in wanted
    ]


def references(pod: Manifest) -> set[tuple[str, str]]:
    """(kind, name) of each ConfigMap and Secret that the Pod's volumes are made of."""
    found: set[tuple[str, str]] = set()
    for volume in pod["spec"].get("volumes") or []:
        parts = [volume, *((volume.get("projected") or {}).get("sources") or [])]
        for part in parts:
            if part.get("configMap"):
                found.add(("ConfigMap", part["configMap"]["name"]))
            if secret := part.get("secret"):
                found.add(("Secret", secret.get("secretName") or secret.get("name")))
    return found


def files(volume: Manifest, sources: Sources, tokens: Tokens) -> Files:
    """The files of one volume; raises SourceMissing for what is required and not there."""
    if part := volume.get("configMap"):
        return _keys(part, part["name"], "configmap", sources)
    if part := volume.get("secret"):
        return _keys(part, part["secretName"], "secret", sources)
    if part := volume.get("downwardAPI"):
        return _downward(part, sources, int(part.get("defaultMode") or DEFAULT_MODE))
    return _projected(volume["projected"], sources, tokens)


def _projected(projected: Manifest, sources: Sources, tokens: Tokens) -> Files:
    mode = int(projected.get("defaultMode") or DEFAULT_MODE)
    found: Files = {}
    for source in projected.get("sources") or []:
        if part := source.get("configMap"):
            found |= _keys(part, part["name"], "configmap", sources, mode)
        elif part := source.get("secret"):
            found |= _keys(part, part["name"], "secret", sources, mode)
        elif part := source.get("downwardAPI"):
            found |= _downward(part, sources, mode)
        elif _is_token(source):
            for request in token_requests({"projected": {"sources": [source]}}):
                token = tokens(request).encode()
                found[_inside(request.path)] = File(token, mode & OWNER_ONLY)
        else:
            raise SourceMissing(f"projected source {sorted(source)} is not supported")
    return found


def _is_token(source: Manifest) -> bool:
    return bool(source.get("serviceAccountToken"))


def _keys(part: Manifest, name: str, kind: str, sources: Sources, mode: int | None = None) -> Files:
    if mode is None:
        mode = int(part.get("defaultMode") or DEFAULT_MODE)
    limit = OWNER_ONLY if kind == "secret" else 0o777
    try:
        data = sources.config_data(name) if kind == "configmap" else sources.secret_data(name)
    except SourceMissing:
        if part.get("optional"):
            return {}
        raise
    if not part.get("items"):
        return {_inside(key): File(value, mode & limit) for key, value in data.items()}
    return dict(_items(part, data, f'{kind} "{name}"', mode, limit))


def _items(
    part: Manifest, data: dict[str, bytes], where: str, mode: int, limit: int
) -> Iterable[tuple[str, File]]:
    for item in part["items"]:
        if item["key"] in data:
            own = int(item["mode"]) if item.get("mode") is not None else mode
            yield _inside(item["path"]), File(data[item["key"]], own & limit)
        elif not part.get("optional"):
            raise SourceMissing(f"{where} has no key {item['key']!r}")


def _downward(part: Manifest, sources: Sources, mode: int) -> Files:
    found: Files = {}
    for item in part.get("items") or []:
        if reference := item.get("fieldRef"):
            text = sources.field(reference["fieldPath"])
        else:
            text = sources.resource(item["resourceFieldRef"])
        own = int(item["mode"]) if item.get("mode") is not None else mode
        found[_inside(item["path"])] = File(text.encode(), own)
    return found


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or parts[0].startswith(".."):
        raise SourceMissing(f"path {path!r} must lie inside its volume")
    return str(PurePosixPath(path))
