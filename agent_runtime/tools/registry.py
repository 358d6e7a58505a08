"""The tools of one agent: bound to what they need, reloaded while it runs, pinned by runs."""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from agent_runtime.memory.ports import LongTermMemory
from agent_runtime.tools.address_guard import AddressGuard
from agent_runtime.tools.binding import (
    Closable,
    Importer,
    Surroundings,
    bound,
)
from agent_runtime.tools.cluster_access import ClusterAccess
from agent_runtime.tools.failures import ToolImportError
from agent_runtime.tools.guarded_http import tool_http_client
from agent_runtime.tools.port import BoundTool, version_of
from agent_runtime.tools.retrieval import Embedder
from agent_runtime.tools.tool_set import ToolSet, UnknownToolError
from agents.tool import Authored

__all__ = ["ToolRegistry", "UnknownToolError", "bind"]

IMPORT_SECONDS = 5.0
"""How long a run waits for functions that stand elsewhere; without them it goes on."""
RETRY_SECONDS = 30.0
MAX_VERSIONS = 8
"""Earlier versions of a tool kept for runs that come back from waiting."""

_log = logging.getLogger(__name__)


class _Entry:
    """One tool of a document: callable as it is, or giving functions once they are loaded."""

    def __init__(self, tool: Authored | None, target: BoundTool | Importer) -> None:
        self.version = version_of(tool) if tool else ""
        self.target = target
        self.loaded: list[BoundTool] = [] if isinstance(target, Importer) else [target]
        self.retry_at = 0.0

    @property
    def waits(self) -> bool:
        return isinstance(self.target, Importer) and not self.loaded

    async def load(self) -> None:
        """Ask for the functions; what can't be had now is asked for again a little later."""
        if not isinstance(self.target, Importer) or time.monotonic() < self.retry_at:
            return
        self.retry_at = time.monotonic() + RETRY_SECONDS
        try:
            async with asyncio.timeout(IMPORT_SECONDS):
                self.loaded = await self.target.load()
        except (ToolImportError, TimeoutError) as error:
            reason = {"fields": {"reason": str(error) or "no answer in time"}}
            _log.warning("functions not loaded", extra=reason)

    async def close(self) -> None:
        if isinstance(self.target, Closable):
            await self.target.close()


class ToolRegistry:
    """What the model may call. Runs that began keep the tools that they began with."""

    def __init__(
        self, tools: Iterable[Authored], around: Surroundings, *, extra: Iterable[BoundTool] = ()
    ) -> None:
        self._around = around
        self._extra = [_Entry(None, each) for each in extra]
        self._entries: dict[str, _Entry] = {}
        self._retired: list[_Entry] = []
        self._versions: dict[str, dict[str, BoundTool]] = {}
        self._runs: dict[str, ToolSet] = {}
        self._loading = asyncio.Lock()
        self._current = ToolSet([])
        self.update(tools)

    @property
    def current(self) -> ToolSet:
        """The newest versions."""
        return self._current

    @property
    def functions(self) -> list[dict[str, Any]]:
        return self._current.functions

    @property
    def pauses(self) -> bool:
        return self._current.pauses

    def find(self, name: str) -> BoundTool:
        return self._current.find(name)

    def update(self, tools: Iterable[Authored]) -> list[str]:
        """Take these tools from now on; the names of those that are new or different."""
        changed: list[str] = []
        entries: dict[str, _Entry] = {}
        for tool in tools:
            known = self._entries.get(tool.name)
            if known is not None and known.version == version_of(tool):
                entries[tool.name] = known
            else:
                entries[tool.name] = _Entry(tool, bound(tool, self._around))
                changed.append(tool.name)
        self._retired += [each for each in self._entries.values() if each not in entries.values()]
        self._entries = entries
        self._refresh()
        return changed

    async def ready(self) -> ToolSet:
        """The newest set, functions of servers that answer in time included."""
        waiting = [each for each in self._entries.values() if each.waits]
        if waiting:
            async with self._loading:
                await asyncio.gather(*(each.load() for each in waiting if each.waits))
                self._refresh()
        return self._current

    async def of_run(self, run_id: str, pins: Mapping[str, str] | None = None) -> ToolSet:
        """The tools of this run: the same ones each time, whatever was reloaded in between.

        `pins` are those of the run on another replica: a version that this process has had is
        found again, of others the newest one stands in.
        """
        if run_id not in self._runs:
            newest = await self.ready()
            self._runs[run_id] = self._pinned(newest, pins) if pins else newest
        return self._runs[run_id]

    async def release(self, run_id: str) -> None:
        """The run has ended or waits; tools that nobody can need any more are closed."""
        self._runs.pop(run_id, None)
        if not self._runs:
            await self._close_retired()

    async def close(self) -> None:
        self._runs.clear()
        await self._close_retired()
        for entry in (*self._entries.values(), *self._extra):
            await entry.close()
        await self._around.http.aclose()

    def _refresh(self) -> None:
        entries = (*self._entries.values(), *self._extra)
        fresh = ToolSet(each for entry in entries for each in entry.loaded)
        if fresh.pins == self._current.pins:
            return
        self._current = fresh
        for each in fresh.tools:
            versions = self._versions.setdefault(each.tool.name, {})
            versions[version_of(each.tool)] = each
            while len(versions) > MAX_VERSIONS:
                del versions[next(iter(versions))]

    def _pinned(self, newest: ToolSet, pins: Mapping[str, str]) -> ToolSet:
        found: list[BoundTool] = []
        for each in newest.tools:
            name = each.tool.name
            found.append(self._versions.get(name, {}).get(pins.get(name, ""), each))
        gone = [name for name in pins if name not in newest.pins]
        found += [
            self._versions[name][pins[name]]
            for name in gone
            if pins[name] in self._versions.get(name, {})
        ]
        return ToolSet(found)

    async def _close_retired(self) -> None:
        kept = {id(each) for versions in self._versions.values() for each in versions.values()}
        for entry in list(self._retired):
            if not any(id(each) in kept for each in entry.loaded):
                self._retired.remove(entry)
                await entry.close()


def bind(
    tools: Iterable[Authored],
    *,
    guard: AddressGuard,
    secrets_dir: Path,
    memory: LongTermMemory,
    embedder: Embedder,
    extra: Iterable[BoundTool] = (),
    cluster: ClusterAccess | None = None,
) -> ToolRegistry:
    """The registry of an agent's resolved tools; `extra` are tools that no document lists."""
    around = Surroundings(guard, tool_http_client(guard), secrets_dir, memory, embedder, cluster)
    return ToolRegistry(tools, around, extra=extra)
