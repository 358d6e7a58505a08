"""From a host view and a Pod's mounts to the arguments that build the Pod's root for `bwrap`."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from local.node_agent.host_view import HostView

Entry = Literal["folder", "file", "other"] | PurePosixPath
"""What a name in a folder is; a path is a symlink's target."""
Listing = Callable[[str], dict[str, Entry]]
POD_FOLDER = "/run/pod"
"""Where the agent's own files for a Pod lie: hosts, hostname, nsswitch.conf."""
OWN_LINKS = (
    ("/etc/hosts", "../run/pod/hosts"),
    ("/etc/hostname", "../run/pod/hostname"),
    ("/etc/nsswitch.conf", "../run/pod/nsswitch.conf"),
    ("/var/run", "../run"),
    ("/var/tmp", "../tmp"),  # noqa: S108 - a path inside the sandbox
)
REFUSED = ("/", "/proc", "/dev", "/sys", "/run", "/etc", "/usr", "/bin", "/lib", "/lib64", "/sbin")


class MountRefused(ValueError):  # noqa: N818 - the API server accepted it, this node does not
    """A mountPath that can't be made inside a sandbox."""


@dataclass(frozen=True)
class Mount:
    """A host file or folder shown at `target` inside the Pod."""

    source: Path
    target: str
    read_only: bool = False


def arguments(
    view: HostView, mounts: Sequence[Mount], *, listing: Listing, read_only_root: bool
) -> list[str]:
    """`bwrap` arguments in the order in which it must mount; raises MountRefused."""
    placed = {_normal(mount.target): mount for mount in mounts}
    tree = _Tree(view, listing)
    for target in placed:
        if target in REFUSED:
            raise MountRefused(f"mountPath {target!r} would hide the system; use a folder below it")
        tree.make_room(target)
    # A checkout may lie below a folder that the Pod mounts itself, /tmp above all: its mount comes
    # first, or it would hide the programs.
    covering = sorted(path for path in placed if any(_is_below(bind, path) for bind in tree.binds))
    made: list[str] = []
    for target in covering:
        made += _bind(placed[target], target)
    for path in sorted(tree.binds):
        made += ["--ro-bind", path, path]
    links = [*tree.links.items(), *OWN_LINKS]
    for path, link in links:
        if path not in placed:
            made += ["--symlink", link, path]
    made += ["--dev", "/dev", "--proc", "/proc"]
    for path in view.hidden:
        made += ["--perms", "0555", "--tmpfs", path]
    for target in sorted(placed, key=lambda path: path.count("/")):
        if target not in covering:
            made += _bind(placed[target], target)
    return made + (["--remount-ro", "/"] if read_only_root else [])


def _bind(mount: Mount, target: str) -> list[str]:
    return ["--ro-bind" if mount.read_only else "--bind", str(mount.source), target]


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder + "/")


def host_listing(folder: str) -> dict[str, Entry]:
    """The real machine's `Listing`; a folder that can't be read is empty."""
    found: dict[str, Entry] = {}
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return found
    for entry in entries:
        if entry.is_symlink():
            found[entry.name] = PurePosixPath(Path(entry.path).readlink())
        elif entry.is_dir():
            found[entry.name] = "folder"
        else:
            found[entry.name] = "file" if entry.is_file() else "other"
    return found


class _Tree:
    """The read-only host paths, some opened into their entries to make room for mount points."""

    def __init__(self, view: HostView, listing: Listing) -> None:
        self.binds = set(view.binds)
        self.links = dict(view.links)
        self._hidden = view.hidden
        self._listing = listing

    def make_room(self, target: str) -> None:
        """Open the binds above `target` until the sandbox can create what is missing."""
        while (above := self._bind_above(target)) and not self._exists(above, target):
            self.binds.discard(above)
            for name, entry in self._listing(above).items():
                path = f"{above}/{name}"
                if isinstance(entry, PurePosixPath):
                    self.links[path] = str(entry)
                elif entry != "other":
                    self.binds.add(path)
        for link in self.links:
            if target.startswith(link + "/"):
                raise MountRefused(f"mountPath {target!r} leads through the symlink {link}")

    def _bind_above(self, target: str) -> str | None:
        if any(target.startswith(path + "/") for path in self._hidden):
            return None
        return next((path for path in self.binds if target.startswith(path + "/")), None)

    def _exists(self, above: str, target: str) -> bool:
        """Whether every step from `above` down to `target` is there, none of them a symlink."""
        folder = above
        for name in target[len(above) + 1 :].split("/"):
            if self._listing(folder).get(name) not in ("folder", "file"):
                return False
            folder = f"{folder}/{name}"
        return True


def _normal(target: str) -> str:
    path = os.path.normpath("/" + target.lstrip("/"))
    for link, real in (("/var/run", "/run"), ("/var/tmp", "/tmp")):  # noqa: S108 - in the sandbox
        if path == link or path.startswith(link + "/"):
            return real + path[len(link) :]
    return path
