"""Looks at a cluster again and again, and does what a decision says, until nothing is left."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from components.drain import NAMESPACE, Kind, Listed, Manifest, Step, Surroundings, called, held

FIRST_POLL_SECONDS, POLL_SECONDS = 0.2, 5.0
"""Most things go at once; a load balancer or a node takes minutes."""
SHOWN = 5
"""Names that a line of progress has room for."""


class Cluster(Protocol):
    """What an API server is asked (`components.cluster_client.ClusterClient`)."""

    def list(self, kind: Kind) -> list[Manifest]: ...
    def delete(self, kind: Kind, obj: Manifest) -> None: ...
    def patch(self, kind: Kind, obj: Manifest, change: Mapping[str, Any]) -> None: ...


class DrainError(Exception):
    """What is left, one line each; nothing that guards it may go."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


Decision = Callable[[Listed, Surroundings], Step]


def drain(
    cluster: Cluster,
    decide: Decision,
    *,
    kinds: Sequence[Kind],
    way_out: str,
    deadline_seconds: float,
    tell: Callable[[str], None],
) -> None:
    """Return when nothing is left; DrainError names what is refused, or left at the deadline.

    `tell` gets a line whenever there is news.
    """
    pause, told = threading.Event(), _Told(tell)
    wait, end = FIRST_POLL_SECONDS, time.monotonic() + deadline_seconds
    while True:
        listed = {kind: cluster.list(kind) for kind in (*kinds, NAMESPACE)}
        found = decide(listed, Surroundings(tuple(listed[NAMESPACE])))
        told.about(found)
        if found.refused:
            raise DrainError(found.refused)
        if not found.left:
            return
        for kind, obj, change in found.patch:
            cluster.patch(kind, obj, change)
        for kind, obj in found.delete:
            cluster.delete(kind, obj)
        if time.monotonic() > end:
            minutes = f"not gone after {deadline_seconds / 60:g} minutes: "
            raise DrainError([minutes + held(*it, way_out=way_out) for it in found.left])
        pause.wait(wait)
        wait = min(2 * wait, POLL_SECONDS)


class _Told:
    """Tells each thing once."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._last = ""
        self._kept: set[str] = set()

    def about(self, found: Step) -> None:
        for line in found.kept:
            if line not in self._kept:
                self._kept.add(line)
                self._tell(line)
        names = [called(*it) for it in found.left]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        text = f"waiting for {', '.join(names[:SHOWN])}{more} to go" if names else ""
        if text and text != self._last:
            self._tell(text)
        self._last = text
