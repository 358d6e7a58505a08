"""Built tools by version, shared by all checkouts: whole or absent, and checked when used."""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.paths import Cache
from local.toolchain.recipes import GoBuild, Recipe

MANIFEST = "manifest.json"


class Store:
    """The cache's `bin` folder."""

    def __init__(self, cache: Cache) -> None:
        self.root = cache.bin

    def folder(self, recipe: Recipe) -> Path:
        """Changed sources, flags or another machine have a folder of their own."""
        return self.root / recipe.name / f"{recipe.version}-{_digest(recipe)}"

    def find(self, recipe: Recipe) -> dict[str, Path] | None:
        """Name → program of a sound entry; None for an absent, half-made or altered one.

        A file of recorded size and time is taken as it is, any other is hashed.
        """
        folder = self.folder(recipe)
        try:
            manifest = json.loads((folder / MANIFEST).read_text())
            records = {name: manifest[name] for name in recipe.binaries}
            changed = [name for name, record in records.items() if not _same(folder / name, record)]
            for name in changed:
                if _sha256(folder / name) != records[name]["sha256"]:
                    return None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if changed:
            _write_manifest(folder, recipe)
        return {name: folder / name for name in recipe.binaries}

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Held while one process makes `name`; a second one waits here."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self.root / f"{name}.lock"
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def draft(self, recipe: Recipe) -> Iterator[Path]:
        """An empty folder to make `recipe` in; call with the lock held.

        It goes away with the block, and what a killed build left goes first.
        """
        prefix = f".making-{recipe.name}-"
        for remainder in self.root.glob(f"{prefix}*"):
            _remove(remainder)
        made = Path(tempfile.mkdtemp(prefix=prefix, dir=self.root))
        try:
            yield made
        finally:
            _remove(made)

    def publish(self, recipe: Recipe, made: Path) -> dict[str, Path]:
        """Move the finished programs of `made` into place, in one step."""
        for name in recipe.binaries:
            (made / name).chmod(0o755)
        _write_manifest(made, recipe)
        target = self.folder(recipe)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            target.rename(Path(tempfile.mkdtemp(prefix=".broken-", dir=self.root)) / "entry")
        made.rename(target)
        for broken in self.root.glob(".broken-*"):
            _remove(broken)
        return {name: target / name for name in recipe.binaries}


def _digest(recipe: Recipe) -> str:
    content = [repr(recipe), platform.machine()]
    if isinstance(recipe, GoBuild):
        # The path of a checkout must not give each its own build.
        content[0] = repr((recipe.version, recipe.packages, recipe.link))
        content += [(recipe.module / name).read_text() for name in ("go.mod", "go.sum")]
    return hashlib.sha256("\0".join(content).encode()).hexdigest()[:10]


def _write_manifest(folder: Path, recipe: Recipe) -> None:
    records = {}
    for name in recipe.binaries:
        status = (folder / name).stat()
        records[name] = {
            "sha256": _sha256(folder / name),
            "size": status.st_size,
            "mtime_ns": status.st_mtime_ns,
        }
    draft = folder / f".{MANIFEST}.{os.getpid()}"
    draft.write_text(json.dumps(records, indent=1))
    draft.replace(folder / MANIFEST)


def _same(file: Path, record: dict[str, int]) -> bool:
    status = file.stat()
    if not os.access(file, os.X_OK):
        raise OSError
    return (status.st_size, status.st_mtime_ns) == (record["size"], record["mtime_ns"])


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _remove(folder: Path) -> None:
    # Go's module cache, when it lies inside, is read-only.
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
