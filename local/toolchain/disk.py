"""Is there room for what is about to be made?"""

import os
from collections.abc import Mapping
from pathlib import Path

from local.report import UserError

MIB = 1024 * 1024
CACHES_ELSEWHERE = "set XDG_CACHE_HOME, GOCACHE and GOMODCACHE to a larger disk"


def require_free(
    needs_mib: Mapping[Path, int], purpose: str, way_out: str = CACHES_ELSEWHERE
) -> None:
    """`needs_mib`: folder → room it will take; folders on one disk are added up.

    Raises UserError with what is needed, what is free and where.
    """
    needed: dict[int, int] = {}
    example: dict[int, Path] = {}
    for folder, mib in needs_mib.items():
        there = _existing(folder)
        device = there.stat().st_dev
        needed[device] = needed.get(device, 0) + mib
        example.setdefault(device, there)
    lines = []
    for device, mib in needed.items():
        status = os.statvfs(example[device])
        free = status.f_bavail * status.f_frsize // MIB
        if free < mib:
            lines.append(
                f"{purpose} needs about {mib} MiB on the disk of {example[device]}, {free} MiB are "
                f"free: make room, or {way_out}"
            )
    if lines:
        raise UserError(*lines)


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
