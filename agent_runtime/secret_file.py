"""Secrets as mounted files, which may be rotated under a running process."""

from pathlib import Path


class SecretUnavailableError(Exception):
    """The file of a secret can't be read; the message names the file, never the content."""


class SecretFile:
    """The content of a file, without surrounding space; read again when the file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._value = ""

    def read(self) -> str:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
            if stamp != self._stamp:
                self._value = self._path.read_text(encoding="utf-8").strip()
                self._stamp = stamp
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text"
            raise SecretUnavailableError(f"secret file {self._path}: {reason}") from None
        if not self._value:
            raise SecretUnavailableError(f"secret file {self._path}: is empty")
        return self._value
