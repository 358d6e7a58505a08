"""`subPath` of a volume mount: one place inside the volume, never one outside of it."""

import stat
from pathlib import Path, PurePosixPath


class SubPathRefused(ValueError):  # noqa: N818 - what a Pod asked for, not a fault here
    """A subPath that leads out of its volume or does not exist."""


def resolve_subpath(volume: Path, inside: str, *, create: bool) -> Path:
    """The host path of `inside`; missing folders are made when `create` (volumes that Pods write).

    A Pod that writes a volume could plant a symlink to a host file in it, so none is followed
    there. A volume that the agent writes consists of symlinks; those may lead only inside.
    """
    parts = PurePosixPath(inside).parts
    if inside.startswith("/") or ".." in parts or not parts:
        raise SubPathRefused(f"subPath {inside!r} must be a path inside its volume")
    if not create:
        found = volume.joinpath(*parts).resolve()
        if not found.is_relative_to(volume.resolve()) or not found.exists():
            raise SubPathRefused(f"subPath {inside!r} does not exist in its volume")
        return found
    place = volume
    for part in parts:
        place = place / part
        if not place.exists() and not place.is_symlink():
            place.mkdir(mode=0o700)
        if stat.S_ISLNK(place.lstat().st_mode):
            raise SubPathRefused(f"subPath {inside!r} leads through a symlink, which is refused")
    return place
