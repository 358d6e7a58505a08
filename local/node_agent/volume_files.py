"""Writing a volume's files so that a reader meets either all old or all new ones."""

import os
import shutil
import tempfile
from pathlib import Path

from local.node_agent.volumes import File, Files

CURRENT = "..data"


def write(folder: Path, files: Files) -> bool:
    """Make `folder` hold exactly `files`; whether anything changed.

    The kubelet's layout: `key -> ..data/key`, `..data -> ..<generation>`, replaced by one rename.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if _read(folder) == files:
        return False
    generation = Path(tempfile.mkdtemp(prefix="..", dir=folder))
    for path, file in files.items():
        target = generation / path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(file.content)
            os.fchmod(stream.fileno(), file.mode)
    previous = _generation(folder)
    _link(folder, CURRENT, generation.name)
    names = {Path(path).parts[0] for path in files}
    for name in names:
        if not (folder / name).is_symlink():
            _link(folder, name, f"{CURRENT}/{name}")
    for entry in folder.iterdir():
        if entry.is_symlink() and not entry.name.startswith("..") and entry.name not in names:
            entry.unlink()
    if previous:
        shutil.rmtree(folder / previous, ignore_errors=True)
    return True


def _link(folder: Path, name: str, target: str) -> None:
    draft = folder / f"..draft-{name}"
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    draft.replace(folder / name)


def _generation(folder: Path) -> str | None:
    link = folder / CURRENT
    return str(link.readlink()) if link.is_symlink() else None


def _read(folder: Path) -> Files | None:
    generation = _generation(folder)
    if generation is None:
        return None
    root = folder / generation
    return {
        str(path.relative_to(root)): File(path.read_bytes(), path.stat().st_mode & 0o777)
        for path in root.rglob("*")
        if path.is_file()
    }
