"""Loopback addresses for several platforms on one machine: sixteen slots, each leased by a lock."""

import contextlib
import fcntl
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from local.control_plane.ports import CONTROL_PLANE_PORTS, is_free
from local.paths import Cache, State
from local.report import UserError

SLOTS = range(16)
SLOT_FILE = "slot"


@dataclass(frozen=True)
class Slot:
    """The addresses of one platform; held until this process ends, or `release`."""

    number: int
    descriptor: int = field(default=-1, repr=False, compare=False)

    @property
    def node_ip(self) -> str:
        """Where the control plane, the kubelet API and LoadBalancer Services listen."""
        return f"127.{64 + self.number}.0.1"

    @property
    def service_cidr(self) -> str:
        """Linux answers on all of 127.0.0.0/8, so each ClusterIP can be listened on."""
        return f"127.{96 + self.number}.0.0/16"

    @property
    def service_ip(self) -> str:
        """The ClusterIP of the `kubernetes` Service: the first of the range."""
        return f"127.{96 + self.number}.0.1"

    @property
    def pod_cidr(self) -> str:
        return f"127.{128 + self.number}.0.0/16"

    def release(self) -> None:
        """Let another process lease the slot; calling it again does nothing."""
        with contextlib.suppress(OSError):
            os.close(self.descriptor)


@dataclass(frozen=True)
class Holder:
    """Whose slot it is: the state folder of a platform and the process that holds the lease."""

    owner: str
    pid: int


def lease(cache: Cache, owner: Path | None = None) -> Slot:
    """The slot that `owner` (a state folder; by default this checkout's) used before, else a free
    one; raises UserError, naming the holders, when there is none.

    A slot on whose addresses a stranger listens (another user's platform has another cache) is
    passed over, unless the owner's data is bound to it: then the control plane says who it is.
    """
    owner = owner or State.default().root
    cache.slots.mkdir(mode=0o700, parents=True, exist_ok=True)
    recorded = recorded_slot(owner)
    if recorded is not None and (slot := _take(cache, recorded, owner)):
        return slot
    for number in sorted(SLOTS, key=lambda number: _rank(cache, number, owner)):
        if not _is_quiet(number):
            continue
        if slot := _take(cache, number, owner):
            return slot
    lines = [
        f"slot {number}: {holder.owner} (pid {holder.pid})"
        for number, holder in holders(cache).items()
    ]
    raise UserError(
        f"all {len(SLOTS)} slots for local platforms are taken: stop one with `make down` there",
        *lines,
    )


def holders(cache: Cache) -> dict[int, Holder]:
    """Who holds which slot now."""
    found = {}
    for number in SLOTS:
        file = _file(cache, number)
        if not file.exists():
            continue
        descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
        try:
            if not _lock(descriptor):
                found[number] = _holder(file)
        finally:
            os.close(descriptor)
    return found


def recorded_slot(owner: Path) -> int | None:
    """The slot to whose addresses the data in `owner` is bound, when there is data."""
    try:
        number = int((owner / SLOT_FILE).read_text())
    except (OSError, ValueError):
        return None
    return number if number in SLOTS else None


def _take(cache: Cache, number: int, owner: Path) -> Slot | None:
    descriptor = os.open(_file(cache, number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not _lock(descriptor):
        os.close(descriptor)
        return None
    record = json.dumps({"owner": str(owner), "pid": os.getpid(), "since": time.time()})
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, record.encode(), 0)
    return Slot(number, descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _rank(cache: Cache, number: int, owner: Path) -> tuple[int, float]:
    """Own slots first, then unused ones, then the one whose owner was away for longest."""
    try:
        record = json.loads(_file(cache, number).read_text())
        last, since = Path(record["owner"]), float(record["since"])
    except (OSError, ValueError, KeyError, TypeError):
        return (1, number)
    if last == owner:
        return (0, number)
    return (2, since) if recorded_slot(last) == number else (1, number)


def _is_quiet(number: int) -> bool:
    address = Slot(number).node_ip
    return all(is_free(address, port) for port in CONTROL_PLANE_PORTS.values())


def _file(cache: Cache, number: int) -> Path:
    return cache.slots / f"{number}.lock"


def _holder(file: Path) -> Holder:
    try:
        record = json.loads(file.read_text())
        return Holder(str(record["owner"]), int(record["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Holder("an unknown checkout", 0)
