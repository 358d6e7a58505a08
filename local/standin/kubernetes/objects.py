"""Objects on the API server: apply, look, delete; state and outputs made from them."""

import base64
import hashlib
import time
from typing import TYPE_CHECKING, Any

from local.standin.kubernetes.inputs import Token
from local.standin.wire import Properties, Secret, hide, plain, secret_texts

if TYPE_CHECKING:
    from local.kube import KubeClient

FIELD_MANAGER = "__fieldManager"
"""Kept in state, so that a renamed resource goes on as the owner of its fields."""
OWNER = "pulumi.com/stand-in"
"""Annotation with the field manager of the resource that made an object."""
POLL_SECONDS = 0.05
DELETE_SECONDS = 300.0
CRD_SECONDS = 10.0
# Written by the server on every change, or different for each reader.
VOLATILE = ("managedFields", "resourceVersion", "generation")
SHOWN_STATUS = {"Service": "loadBalancer", "Ingress": "loadBalancer"}


def field_manager(urn: str, state: Properties | None = None) -> str:
    """The owner of a resource's fields; one per URN, kept over renames."""
    kept = (state or {}).get(FIELD_MANAGER)
    if kept:
        return str(plain(kept))
    return f"pulumi-standin-{hashlib.sha256(urn.encode()).hexdigest()[:12]}"


def identity(live: Properties) -> str:
    """`namespace/name`, or `name` for what has no namespace."""
    metadata = live["metadata"]
    return "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part)


def from_identity(text: str) -> tuple[str | None, str]:
    namespace, _, name = text.rpartition("/")
    return namespace or None, name


def as_sent(inputs: Properties, owner: str | None) -> Properties:
    """The manifest for the API server: secrets opened, stringData written as data.

    stringData is write-only: an apply that owns it could never take a key away again. `owner` is
    noted on the object; None for a patch of somebody else's.
    """
    manifest: Properties = plain(inputs)
    if owner is not None:
        metadata = manifest["metadata"]
        annotations = {**(metadata.get("annotations") or {}), OWNER: owner}
        manifest["metadata"] = metadata | {"annotations": annotations}
    if manifest.get("kind") == "Secret" and isinstance(manifest.get("stringData"), dict):
        texts = manifest.pop("stringData")
        encoded = {k: base64.b64encode(str(v).encode()).decode() for k, v in texts.items()}
        manifest["data"] = (manifest.get("data") or {}) | encoded
    return manifest


def owned_by(live: Properties, manager: str) -> bool:
    """Whether the object is that resource's own: made by this run, or by one that was killed."""
    return bool((live["metadata"].get("annotations") or {}).get(OWNER) == manager)


def outputs(live: Properties, inputs: Properties, manager: str) -> Properties:
    """What goes into state: the live object without volatile parts, secrets marked again.

    Of a status only the address of a load balancer is kept: the rest changes by itself, and each
    change would turn up as drift.
    """
    shown = {key: value for key, value in live.items() if key != "status"}
    metadata = live.get("metadata", {})
    shown["metadata"] = {key: value for key, value in metadata.items() if key not in VOLATILE}
    part = SHOWN_STATUS.get(str(live.get("kind")))
    if part and (found := (live.get("status") or {}).get(part)):
        shown["status"] = {part: found}
    hidden: Properties = hide(shown, inputs, secret_texts(inputs))
    if live.get("kind") == "Secret":
        for key in ("data", "stringData"):
            if key in hidden and not isinstance(hidden[key], Secret):
                hidden[key] = Secret(plain(hidden[key]))
    hidden[FIELD_MANAGER] = manager
    return hidden


def find(client: "KubeClient", manifest: Properties) -> Properties | None:
    """The live object of that name; None also when its kind is not known (yet)."""
    metadata = manifest["metadata"]
    return client.find(
        manifest["apiVersion"], manifest["kind"], metadata["name"], metadata.get("namespace")
    )


def apply_when_known(client: "KubeClient", manifest: Properties, manager: str) -> Properties:
    """Apply; waits for a kind whose CRD was made a moment ago, as it is served a little later."""
    from local.kube import UnknownKind

    deadline = time.monotonic() + CRD_SECONDS
    while True:
        try:
            return client.apply(manifest, manager)
        except UnknownKind:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)


def delete_and_wait(
    client: "KubeClient", manifest: Properties, *, propagation: Any, timeout_seconds: float
) -> None:
    """Delete and return when it is gone; raises TimeoutError that names what holds it."""
    api_version, kind = manifest["apiVersion"], manifest["kind"]
    metadata = manifest["metadata"]
    where = (api_version, kind, metadata["name"], metadata.get("namespace"))
    live = client.find(*where)
    if live is None or not client.delete(*where, propagation=propagation):
        return
    uid = live["metadata"]["uid"]
    deadline = time.monotonic() + (timeout_seconds or DELETE_SECONDS)
    while True:
        live = client.find(*where)
        if live is None or live["metadata"]["uid"] != uid:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(_held(live, timeout_seconds or DELETE_SECONDS))
        time.sleep(POLL_SECONDS)


def _held(live: Properties, seconds: float) -> str:
    finalizers = ", ".join(live["metadata"].get("finalizers") or []) or "no finalizer"
    conditions = (live.get("status") or {}).get("conditions") or []
    says = "; ".join(str(c["message"]) for c in conditions if c.get("message"))
    text = f"{live['kind']} {identity(live)} was not gone after {seconds:g} s ({finalizers})"
    return f"{text}: {says}" if says else text


def release(client: "KubeClient", manifest: Properties, manager: str) -> None:
    """Give up the fields of an object that somebody else owns: an empty apply."""
    if find(client, manifest) is None:
        return
    metadata = {
        key: manifest["metadata"][key]
        for key in ("name", "namespace")
        if key in manifest["metadata"]
    }
    empty = {key: manifest[key] for key in ("apiVersion", "kind")} | {"metadata": metadata}
    client.apply(empty, manager)


def describe(urn: str, manifest: Properties) -> str:
    """`Deployment ai-agents/web`, for messages."""
    metadata = plain(manifest.get("metadata") or {})
    names = [str(metadata[key]) for key in ("namespace", "name") if metadata.get(key)]
    return f"{manifest.get('kind') or Token.of(urn).kind} {'/'.join(names)}".strip()
