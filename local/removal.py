"""Removing files for good, and saying which could not be removed."""

import os
import shutil
from pathlib import Path


def remove(path: Path) -> list[str]:
    """Remove a file or a whole folder; one line for each thing that stays, none when all is gone.

    Folders without write permission (Go's modules, what a Pod made) are opened first.
    """
    try:
        _remove(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        what = Path(error.filename or path).name
        return [f"{path}: {what!r} can't be removed ({error.strerror}): mend it, then run it again"]
    return []


def _remove(path: Path) -> None:
    if not path.is_dir() or path.is_symlink():
        path.unlink()
        return
    try:
        shutil.rmtree(path)
    except PermissionError:
        path.chmod(0o700)
        for folder, names, _ in os.walk(path):
            for child in (Path(folder) / name for name in names):
                if not child.is_symlink():
                    child.chmod(0o700)
        shutil.rmtree(path)
