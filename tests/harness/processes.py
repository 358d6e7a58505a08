"""Watching processes end."""

import os
import time
from collections.abc import Callable, Iterable

import psutil


def wait_until(holds: Callable[[], bool], *, what: str, seconds: float = 60.0) -> None:
    """Poll until `holds`; fails the test with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    """Zombies have ended: only their parent has not asked yet."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def await_ended(pids: Iterable[int], *, seconds: float = 30.0) -> None:
    """Fails the test when one of `pids` still runs after `seconds`."""
    pids = list(pids)
    wait_until(
        lambda: not any(is_running(pid) for pid in pids), what=f"{pids} ended", seconds=seconds
    )


def in_session(leader: int) -> list[int]:
    """The running processes whose session `leader` opened."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader and is_running(process.pid):
                found.append(process.pid)
        except (ProcessLookupError, PermissionError):
            continue
    return found
