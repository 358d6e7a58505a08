"""Refusals of one preview, collected, so that it can show all of them and fail at its end.

An error from a plugin ends a preview at once; one that is only logged leaves its exit code at 0. So
the plugins log, and write here; the language host reads, and fails the run. Both know the file by
the engine that started them. Without the stand-in's language host there is no ledger.
"""

import os
from collections.abc import Mapping
from pathlib import Path


class Ledger:
    """The file of the engine that is this process's parent."""

    def __init__(self, engine: int, environment: Mapping[str, str] = os.environ) -> None:
        home = environment.get("PULUMI_HOME")
        self._file = Path(home) / "standin" / f"refused-{engine}" if home else None

    def open(self) -> None:
        """Begin an empty one."""
        if self._file is not None:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file.write_text("", encoding="utf-8")

    def add(self, what: str) -> bool:
        """Note a refusal; False when nobody keeps a ledger, and the caller has to fail itself."""
        if self._file is None or not self._file.exists():
            return False
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(what.replace("\n", " ") + "\n")
        return True

    def close(self) -> int:
        """How many were noted; the ledger is gone then."""
        if self._file is None or not self._file.exists():
            return 0
        count = len(self._file.read_text(encoding="utf-8").splitlines())
        self._file.unlink()
        return count
