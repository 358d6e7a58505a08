"""Tools declared in mounted files, which Kubernetes changes under the running process."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from agent_runtime.tools.tool_follower import Change
from agents.document import ToolDocument, load_partly
from agents.errors import DocumentError

POLL_SECONDS = 2.0
"""kubelet itself brings a changed ConfigMap within about a minute."""


class ToolFiles:
    """Looks whether the files changed: a mounted ConfigMap changes by moving a symbolic link,
    which watches of the file do not see."""

    def __init__(self, paths: Sequence[Path], *, poll_seconds: float = POLL_SECONDS) -> None:
        self._paths = paths
        self._poll_seconds = poll_seconds

    async def changes(self) -> AsyncIterator[Change]:
        seen: object = None
        while True:
            stamp = await asyncio.to_thread(self._stamp)
            if stamp != seen:
                seen = stamp
                yield await asyncio.to_thread(self._read)
            await asyncio.sleep(self._poll_seconds)

    async def told(self, name: str, *, accepted: bool, reason: str) -> None:
        """Files can't be written to; metric and log tell."""
        del name, accepted, reason

    def _stamp(self) -> object:
        return [_stamp(path) for path in self._paths]

    def _read(self) -> Change:
        good: list[ToolDocument] = []
        broken: dict[str, str] = {}
        for path in self._paths:
            try:
                text = path.read_text(encoding="utf-8")
                documents, mistakes = load_partly(text, source=path.name)
            except DocumentError as error:
                broken[""] = str(error)
            except (OSError, UnicodeDecodeError) as error:
                broken[""] = f"{path.name}: can't be read ({type(error).__name__})"
            else:
                good += [each for each in documents if isinstance(each, ToolDocument)]
                if mistakes:
                    broken[""] = "\n".join(str(each) for each in mistakes)
        return Change(good, broken)


def _stamp(path: Path) -> tuple[str, int, int, int] | None:
    try:
        status = path.stat()
        return os.path.realpath(path), status.st_mtime_ns, status.st_ino, status.st_size
    except OSError:
        return None
