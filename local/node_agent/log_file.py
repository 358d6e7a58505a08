"""The output of one container on disk: bounded, closed to others, followed without polling."""

import os
from pathlib import Path

from local.node_agent.objects import Manifest
from local.node_agent.pulse import Pulse

ROTATE_BYTES = 10 * 1024 * 1024


class LogFile:
    """`<path>` is the running container's output, `.1` what was rotated away, `.previous` its
    predecessor's end.
    """

    def __init__(self, path: Path, *, rotate_bytes: int = ROTATE_BYTES) -> None:
        self.path = path
        self.ended = True
        self._rotate_bytes = rotate_bytes
        self._descriptor = -1
        self._size = 0
        self._pulse = Pulse()

    @property
    def previous(self) -> Path:
        return self.path.with_name(self.path.name + ".previous")

    def open(self) -> None:
        """Begin the log of a new start of the container."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.path.exists():
            self.path.replace(self.previous)
        self._create()
        self.ended = False

    def write(self, data: bytes) -> None:
        if self._descriptor < 0:
            return
        if self._size and self._size + len(data) > self._rotate_bytes:
            os.close(self._descriptor)
            self.path.replace(self.path.with_name(self.path.name + ".1"))
            self._create()
        self._size += os.write(self._descriptor, data)
        self._pulse.beat()

    def close(self) -> None:
        """The container has ended; followers get the rest and stop."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self.ended = -1, True
        self._pulse.beat()

    async def changed(self) -> None:
        """Return when more was written or the log has ended."""
        if not self.ended:
            await self._pulse.wait()

    def _create(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC
        self._descriptor = os.open(self.path, flags, 0o600)
        self._size = 0


def log_path(folder: Path, pod: Manifest, container: str) -> Path:
    metadata = pod["metadata"]
    return folder / f"{metadata['namespace']}_{metadata['name']}_{container}.log"
