"""A small synchronous client of a Kubernetes API server, for any kind that its discovery knows."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from local.api_discovery import Discovery, ResourceType, UnknownKind
from local.api_transport import ApiError, ApiTransport, ApiUnreachable, Cause, Manifest
from local.kubeconfig import Kubeconfig

__all__ = [
    "ApiError",
    "ApiUnreachable",
    "Cause",
    "KubeClient",
    "Manifest",
    "ObjectList",
    "ResourceType",
    "UnknownKind",
    "WatchEvent",
]

FieldValidation = Literal["Strict", "Warn", "Ignore"]
PATCH_TYPES = {
    "apply": "application/apply-patch+yaml",
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}


class ObjectList(list[Manifest]):
    """Objects of one kind as of `resource_version`, from which a watch continues."""

    resource_version: str = ""


@dataclass(frozen=True)
class WatchEvent:
    """One change; `BOOKMARK` objects carry nothing but a resourceVersion."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: Manifest


class KubeClient(ApiTransport):
    """Objects of one API server. Threads may share it. All methods raise ApiError."""

    def __init__(
        self,
        kubeconfig: Kubeconfig,
        *,
        timeout_seconds: float = 30.0,
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(kubeconfig, timeout_seconds=timeout_seconds, on_warning=on_warning)
        self._discovery = Discovery(self)

    @classmethod
    def from_kubeconfig(cls, path: Path, *, context: str | None = None) -> "KubeClient":
        """Raises UserError when the file can't be used."""
        return cls(Kubeconfig.read(path, context))

    def resource_type(self, api_version: str, kind: str) -> ResourceType:
        """Raises UnknownKind, also when the kind's CRD is not loaded yet."""
        return self._discovery.resource_type(api_version, kind)

    def path(
        self, api_version: str, kind: str, namespace: str | None = None, name: str | None = None
    ) -> str:
        """The URL path of an object, or of the collection when `name` is None.

        A namespace given for a cluster-scoped kind is ignored; none for a namespaced kind means all
        namespaces in a collection, `default` for an object.
        """
        found = self.resource_type(api_version, kind)
        parts = ["/api" if "/" not in api_version else "/apis", api_version]
        if found.namespaced and (namespace or name):
            parts += ["namespaces", namespace or "default"]
        parts.append(found.plural)
        if name:
            parts.append(name)
        return "/".join(parts)

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Manifest:
        """Raises ApiError 404 when there is none."""
        return self.request("GET", self.path(api_version, kind, namespace, name))

    def find(
        self, api_version: str, kind: str, name: str, namespace: str | None = None
    ) -> Manifest | None:
        """Like `get`, with None for an object (or a kind) that does not exist."""
        try:
            return self.get(api_version, kind, name, namespace)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> ObjectList:
        """All objects, page by page; each carries its apiVersion and kind."""
        path = self.path(api_version, kind, namespace)
        params = _selectors(label_selector, field_selector) | {"limit": "500"}
        found = ObjectList()
        while True:
            page = self.request("GET", path, params=params)
            for item in page.get("items") or []:
                found.append({"apiVersion": api_version, "kind": kind} | item)
            metadata = page.get("metadata") or {}
            found.resource_version = metadata.get("resourceVersion", "")
            if not metadata.get("continue"):
                return found
            params["continue"] = metadata["continue"]

    def create(
        self,
        obj: Manifest,
        *,
        field_manager: str = "agentic-platform",
        dry_run: bool = False,
        field_validation: FieldValidation = "Strict",
    ) -> Manifest:
        """Raises ApiError 409 when an object of that name exists."""
        path = self.path(obj["apiVersion"], obj["kind"], _namespace(obj) or "default")
        params = _write_params(field_manager, field_validation, dry_run=dry_run)
        return self.request("POST", path, params=params, body=obj)

    def apply(
        self,
        obj: Manifest,
        field_manager: str = "agentic-platform",
        *,
        dry_run: bool = False,
        force: bool = True,
        subresource: str | None = None,
        field_validation: FieldValidation = "Strict",
    ) -> Manifest:
        """Server-side apply; raises ApiError 409 on a conflict when not forced."""
        path = self._object_path(obj, subresource)
        params = _write_params(field_manager, field_validation, dry_run=dry_run)
        params["force"] = str(force).lower()
        return self.request("PATCH", path, params=params, body=obj, media=PATCH_TYPES["apply"])

    def replace(
        self, obj: Manifest, *, subresource: str | None = None, dry_run: bool = False
    ) -> Manifest:
        """PUT; raises ApiError 409 when the object's resourceVersion is no longer the live one."""
        params = {"dryRun": "All"} if dry_run else {}
        return self.request("PUT", self._object_path(obj, subresource), params=params, body=obj)

    def patch(
        self,
        api_version: str,
        kind: str,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        patch_type: Literal["json", "merge", "strategic"] = "merge",
        subresource: str | None = None,
    ) -> Manifest:
        """`subresource="status"` writes the status alone."""
        path = self.path(api_version, kind, namespace, name)
        path += f"/{subresource}" if subresource else ""
        return self.request("PATCH", path, body=patch, media=PATCH_TYPES[patch_type])

    def delete(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        propagation: Literal["Background", "Foreground", "Orphan"] = "Background",
        grace_period_seconds: int | None = None,
        dry_run: bool = False,
    ) -> bool:
        """Whether it was there. It may live on while a finalizer holds it."""
        options: Manifest = {"propagationPolicy": propagation}
        if grace_period_seconds is not None:
            options["gracePeriodSeconds"] = grace_period_seconds
        if dry_run:
            options["dryRun"] = ["All"]
        try:
            path = self.path(api_version, kind, namespace, name)
            self.request("DELETE", path, body=options)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def watch(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        *,
        resource_version: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        timeout_seconds: int = 60,
    ) -> Iterator[WatchEvent]:
        """Changes since `resource_version` until the server ends the watch (`timeout_seconds`).

        Without a version it begins with an ADDED event for each object there is. To go on, call
        again with the last event's resourceVersion; ApiError 410 means: list anew.
        """
        params = _selectors(label_selector, field_selector) | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(timeout_seconds),
        }
        if resource_version:
            params["resourceVersion"] = resource_version
        path = self.path(api_version, kind, namespace)
        for line in self.lines(path, params=params, silence_seconds=timeout_seconds + 10.0):
            yield _event(line)

    def wait(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        until: Callable[[Manifest | None], bool],
        timeout_seconds: float = 30.0,
    ) -> Manifest | None:
        """The object as soon as `until` holds (None: it is gone); raises TimeoutError."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            found = self.find(api_version, kind, name, namespace)
            if until(found):
                return found
            if time.monotonic() > deadline:
                where = f"{namespace}/{name}" if namespace else name
                raise TimeoutError(f"{kind} {where}: not as wanted after {timeout_seconds:g} s")
            time.sleep(0.05)

    def _object_path(self, obj: Manifest, subresource: str | None) -> str:
        name = str(obj["metadata"]["name"])
        path = self.path(obj["apiVersion"], obj["kind"], _namespace(obj), name)
        return f"{path}/{subresource}" if subresource else path


def _namespace(obj: Manifest) -> str | None:
    found = obj["metadata"].get("namespace")
    return str(found) if found else None


def _selectors(label: str | None, field: str | None) -> dict[str, str]:
    params = {"labelSelector": label, "fieldSelector": field}
    return {key: value for key, value in params.items() if value}


def _write_params(
    field_manager: str, field_validation: FieldValidation, *, dry_run: bool
) -> dict[str, str]:
    params = {"fieldManager": field_manager, "fieldValidation": field_validation}
    return params | ({"dryRun": "All"} if dry_run else {})


def _event(line: str) -> WatchEvent:
    event = json.loads(line)
    if event["type"] == "ERROR":
        raise ApiError.from_status(500, event["object"])
    return WatchEvent(event["type"], event["object"])
