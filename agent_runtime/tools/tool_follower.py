"""Takes changed Tools into the registry, and keeps the last good version of a broken one."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from agent_runtime.tools.registry import ToolRegistry
from agent_runtime.tools.tool_metrics import ToolMetrics
from agents.document import ToolDocument
from agents.errors import DocumentError
from agents.tool import Authored

_log = logging.getLogger(__name__)

Resolve = Callable[[list[ToolDocument]], tuple[Authored, ...]]


@dataclass(frozen=True)
class Change:
    """What a source says: Tools as they are now, and what is wrong with others."""

    good: list[ToolDocument]
    broken: Mapping[str, str] = field(default_factory=dict)
    """What is wrong, by the name of the Tool; an empty name: a part that names none."""
    gone: frozenset[str] = frozenset()


class ToolSource(Protocol):
    """Where Tools are declared."""

    def changes(self) -> AsyncIterator[Change]:
        """The first one at once, then one for each change; never ends, survives its failures."""
        ...

    async def told(self, name: str, *, accepted: bool, reason: str) -> None:
        """Write down at the source what became of the newest version, where that is possible."""
        ...


class ToolFollower:
    """Follows one source for one registry."""

    def __init__(
        self,
        registry: ToolRegistry,
        resolve: Resolve,
        *,
        known: list[ToolDocument],
        metrics: ToolMetrics,
    ) -> None:
        self._registry = registry
        self._resolve = resolve
        self._known = {each.metadata.name: each for each in known}
        self._metrics = metrics
        self.conditions: dict[str, str] = {}
        """Why the newest version of a Tool is not in use, by its name."""
        self.began = False
        """Whether the source has said at least once what there is."""

    async def follow(self, source: ToolSource) -> None:
        """Until cancelled."""
        async for change in source.changes():
            before = dict(self.conditions)
            self.take(change)
            touched = {each.metadata.name for each in change.good} | set(change.broken)
            for name in sorted(touched - {""}):
                reason = self.conditions.get(name, "")
                if name not in before or reason != before[name]:
                    await source.told(name, accepted=not reason, reason=reason)

    def take(self, change: Change) -> None:
        """Use what is good; what is broken or gone stays as it was."""
        self.began = True
        candidates = self._known | {each.metadata.name: each for each in change.good}
        problems = dict(change.broken)
        problems |= dict.fromkeys(change.gone, "the Tool was deleted")
        try:
            changed = self._registry.update(self._resolve(list(candidates.values())))
        except (DocumentError, ValueError) as error:
            problems |= {each.metadata.name: str(error) for each in change.good}
        else:
            self._known = candidates
            if changed:
                self._metrics.reloaded("taken")
                _log.info("tools reloaded", extra={"fields": {"tools": changed}})
        for name in ("", *(each.metadata.name for each in change.good)):
            if name not in problems:
                self.conditions.pop(name, None)
        for name, reason in problems.items():
            if self.conditions.get(name) != reason:
                self._metrics.reloaded("refused")
                fields = {"tool": name, "reason": reason, "kept": name in self._known}
                _log.warning("tool not reloaded", extra={"fields": fields})
            self.conditions[name] = reason
        for name in self._known:
            self._metrics.accepted(name, yes=name not in self.conditions)


@asynccontextmanager
async def followed(follower: ToolFollower, source: ToolSource) -> AsyncIterator[None]:
    """Follow in the background while the block runs."""
    task = asyncio.create_task(follower.follow(source))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
