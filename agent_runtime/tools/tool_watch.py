"""Tools declared as objects in the cluster, followed by a watch of the Kubernetes API."""

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx

from agent_runtime.secret_file import SecretUnavailableError
from agent_runtime.tools.cluster_access import ClusterAccess
from agent_runtime.tools.tool_follower import Change
from agents.document import TOOL_API_VERSION, ToolDocument
from agents.errors import DocumentError
from agents.tool_object import tool_of_object

WATCH_SECONDS = 300
"""After it the API server ends the watch, and a new one begins where it ended."""
MAX_PAUSE_SECONDS = 30.0
CONDITION = "Accepted"

_log = logging.getLogger(__name__)


class _WatchEndedError(Exception):
    """The list must be read again."""


class ToolWatch:
    """The Tools of one namespace: a list, then what changes."""

    def __init__(self, access: ClusterAccess, *, report_status: bool = False) -> None:
        self._access = access
        self._report_status = report_status
        self._generations: dict[str, int] = {}
        self._http = access.client(httpx.Timeout(10, read=WATCH_SECONDS + 30))

    async def changes(self) -> AsyncIterator[Change]:
        failures = 0
        while True:
            try:
                version, first = await self._listed()
                yield first
                failures = 0
                async for change in self._watched(version):
                    yield change
            except _WatchEndedError:
                continue
            except (httpx.HTTPError, SecretUnavailableError, ValueError, KeyError) as error:
                failures += 1
                pause = random.uniform(0.1, min(MAX_PAUSE_SECONDS, 0.5 * 2**failures))  # noqa: S311 # spreads load
                fields = {"reason": f"{type(error).__name__}: {error}"[:300]}
                _log.warning("tools can't be followed", extra={"fields": fields})
                await asyncio.sleep(pause)

    async def told(self, name: str, *, accepted: bool, reason: str) -> None:
        """The condition `Accepted` in the Tool's status."""
        if not self._report_status or name not in self._generations:
            return
        condition = {
            "type": CONDITION,
            "status": "True" if accepted else "False",
            "reason": "Valid" if accepted else "Invalid",
            "message": reason[:1000],
            "observedGeneration": self._generations[name],
            "lastTransitionTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        try:
            answer = await self._http.patch(
                f"{self._path}/{name}/status",
                content=json.dumps({"status": {"conditions": [condition]}}),
                headers={**self._access.headers(), "content-type": "application/merge-patch+json"},
            )
            answer.raise_for_status()
        except (httpx.HTTPError, SecretUnavailableError) as error:
            fields = {"tool": name, "reason": type(error).__name__}
            _log.warning("status not written", extra={"fields": fields})

    async def close(self) -> None:
        await self._http.aclose()

    @property
    def _path(self) -> str:
        return f"/apis/{TOOL_API_VERSION}/namespaces/{self._access.namespace}/tools"

    async def _listed(self) -> tuple[str, Change]:
        answer = await self._http.get(self._path, headers=self._access.headers())
        answer.raise_for_status()
        data = answer.json()
        good: list[ToolDocument] = []
        broken: dict[str, str] = {}
        for each in data["items"]:
            # a list leaves out what all of its items share
            self._read({"apiVersion": TOOL_API_VERSION, "kind": "Tool", **each}, good, broken)
        known = {each["metadata"]["name"] for each in data["items"]}
        gone = frozenset(self._generations) - known
        return data["metadata"]["resourceVersion"], Change(good, broken, gone)

    async def _watched(self, version: str) -> AsyncIterator[Change]:
        """Changes after `version`. Raises _WatchEndedError when that is too long ago."""
        while True:
            wanted: dict[str, str | int] = {
                "watch": 1,
                "resourceVersion": version,
                "allowWatchBookmarks": "true",
                "timeoutSeconds": WATCH_SECONDS,
            }
            request = self._http.stream(
                "GET", self._path, params=wanted, headers=self._access.headers()
            )
            async with request as stream:
                if stream.status_code == 410:
                    raise _WatchEndedError
                stream.raise_for_status()
                async for line in stream.aiter_lines():
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise _WatchEndedError
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        yield self._change(event)

    def _change(self, event: dict[str, Any]) -> Change:
        data = event["object"]
        if event["type"] == "DELETED":
            return Change([], gone=frozenset({data["metadata"]["name"]}))
        good: list[ToolDocument] = []
        broken: dict[str, str] = {}
        self._read(data, good, broken)
        return Change(good, broken)

    def _read(self, data: dict[str, Any], good: list[ToolDocument], broken: dict[str, str]) -> None:
        name = data["metadata"]["name"]
        self._generations[name] = int(data["metadata"].get("generation", 0))
        try:
            good.append(tool_of_object(data, source=f"Tool {name}"))
        except DocumentError as error:
            broken[name] = str(error)
