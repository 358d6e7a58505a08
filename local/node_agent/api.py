"""An asynchronous client of the API server: the few calls that a node agent makes."""

import json
from collections.abc import AsyncIterator
from typing import Any, Literal

import httpx

from local.api_transport import ApiError, ApiUnreachable
from local.kubeconfig import Kubeconfig
from local.node_agent.objects import Manifest

COLLECTIONS = {
    "Pod": "/api/v1/pods",
    "Service": "/api/v1/services",
    "ConfigMap": "/api/v1/configmaps",
    "Secret": "/api/v1/secrets",
    "PersistentVolumeClaim": "/api/v1/persistentvolumeclaims",
    "PersistentVolume": "/api/v1/persistentvolumes",
    "Node": "/api/v1/nodes",
    "Event": "/api/v1/events",
    "ServiceAccount": "/api/v1/serviceaccounts",
    "Lease": "/apis/coordination.k8s.io/v1/leases",
    "StorageClass": "/apis/storage.k8s.io/v1/storageclasses",
}
_MEDIA = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
WATCH_SECONDS = 300


def path_of(kind: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The URL path of an object or collection of one of the kinds that the agent knows."""
    group, _, plural = COLLECTIONS[kind].rpartition("/")
    inside = f"{group}/namespaces/{namespace}/{plural}" if namespace else COLLECTIONS[kind]
    return "/".join(part for part in (inside, name, subresource) if part)


class Api:
    """One API server, one user. Every call raises ApiError."""

    def __init__(self, kubeconfig: Kubeconfig, *, timeout_seconds: float = 15.0) -> None:
        headers = {"Accept": "application/json", "User-Agent": "agentic-node-agent"}
        if kubeconfig.token:
            headers["Authorization"] = f"Bearer {kubeconfig.token}"
        self.server = kubeconfig.server
        self._http = httpx.AsyncClient(
            base_url=kubeconfig.server,
            verify=kubeconfig.ssl_context(),
            headers=headers,
            timeout=timeout_seconds,
            trust_env=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=10),
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: dict[str, str] | None = None,
        media: str = "application/json",
    ) -> Manifest:
        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": media}
        try:
            response = await self._http.request(
                method, path, params=params, content=content, headers=headers
            )
        except httpx.TransportError as error:
            raise ApiUnreachable(0, "Unreachable", f"{self.server}: {error!r}") from error
        return _answer(response)

    async def find(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """The object, or None when there is none."""
        try:
            return await self.request("GET", path_of(kind, namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def create(self, kind: str, obj: Manifest) -> Manifest:
        return await self.request("POST", path_of(kind, obj["metadata"].get("namespace", "")), obj)

    async def patch(
        self,
        kind: str,
        namespace: str,
        name: str,
        body: Any,
        *,
        subresource: str = "",
        form: Literal["merge", "strategic"] = "strategic",
    ) -> Manifest:
        path = path_of(kind, namespace, name, subresource)
        return await self.request("PATCH", path, body, media=_MEDIA[form])

    async def delete(
        self, kind: str, namespace: str, name: str, *, uid: str = "", grace: int | None = None
    ) -> None:
        """Ask for deletion; with `uid`, of that very object. One that is gone is no error."""
        options: Manifest = {}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        try:
            await self.request("DELETE", path_of(kind, namespace, name), options)
        except ApiError as error:
            # 409: the name belongs to another object meanwhile, so the one that was meant is gone.
            if error.status not in (404, 409):
                raise

    async def watch(
        self, path: str, resource_version: str, params: dict[str, str]
    ) -> AsyncIterator[Manifest]:
        """Raw watch events until the server ends the stream."""
        query = params | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        limit = httpx.Timeout(15.0, read=WATCH_SECONDS + 15.0)
        try:
            async with self._http.stream("GET", path, params=query, timeout=limit) as response:
                if response.status_code >= 400:
                    await response.aread()
                    _answer(response)
                async for line in response.aiter_lines():
                    yield json.loads(line)
        except (httpx.TransportError, ValueError) as error:
            # A server that is killed may leave half a line behind.
            raise ApiUnreachable(0, "Unreachable", f"{self.server}: {error!r}") from error


def _answer(response: httpx.Response) -> Manifest:
    try:
        body = response.json()
    except ValueError:
        body = response.text
    if response.status_code >= 400:
        raise ApiError.from_status(response.status_code, body)
    return body if isinstance(body, dict) else {}
