"""Files to load: found, measured, and refused where they can't be text."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent_runtime.knowledge.document import UnreadableFileError

TEXT_SUFFIXES = (".txt", ".md", ".markdown", ".csv", ".tsv")
WHOLE_SUFFIXES = (".html", ".htm", ".pdf")
SUFFIXES = TEXT_SUFFIXES + WHOLE_SUFFIXES
MEGABYTE = 1_000_000
DEFAULT_MAX_BYTES = 64 * MEGABYTE
MAX_WHOLE_BYTES = 64 * MEGABYTE
"""HTML and PDF are held in memory as a whole, so that no option raises this."""
_BLOCK = 1024 * 1024
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class SourceFile:
    """A file that is worth reading."""

    path: Path
    name: str
    """Its path below the folder that was given."""
    bytes: int
    encoding: str = "utf-8"


def files_under(paths: list[Path]) -> list[tuple[Path, str]]:
    """The loadable files of these paths with their names, folders searched through, in a stable
    order. Raises UnreadableFileError."""
    found: list[tuple[Path, str]] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*") if each.suffix.lower() in SUFFIXES)
            # a mounted ConfigMap holds each file twice: once more under its hidden `..data`
            names = ((each, each.relative_to(path)) for each in inside if each.is_file())
            found += [(each, str(name)) for each, name in names if not _hidden(name)]
        elif path.is_file():
            found.append((path, path.name))
        else:
            raise UnreadableFileError(f"{path}: there is no such file or folder")
    if not found:
        named = ", ".join(str(path) for path in paths)
        raise UnreadableFileError(f"{named}: no file ends in {', '.join(SUFFIXES)}")
    return found


def inspected(path: Path, name: str, *, max_bytes: int) -> SourceFile:
    """The file, once it is known to be small enough and of the kind its name says; text files are
    read through for that, a block at a time. Raises UnreadableFileError."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UnreadableFileError(f"{path}: only {', '.join(SUFFIXES)} can be loaded")
    try:
        size = path.stat().st_size
        _measure(path, size, max_bytes, whole=suffix in WHOLE_SUFFIXES)
        with path.open("rb") as opened:
            head = opened.read(1024)
        if suffix == ".pdf":
            if b"%PDF-" not in head:
                raise UnreadableFileError(f"{path}: is no PDF, whatever its name says")
            return SourceFile(path, name, size)
        encoding = next(
            (code for mark, code in _BYTE_ORDER_MARKS if head.startswith(mark)), "utf-8"
        )
        _check_text(path, encoding)
    except OSError as error:
        raise UnreadableFileError(f"{path}: {error.strerror}") from None
    return SourceFile(path, name, size, encoding)


def _measure(path: Path, size: int, max_bytes: int, *, whole: bool) -> None:
    if size > max_bytes:
        raise UnreadableFileError(
            f"{path}: {_megabytes(size)} MB; at most {_megabytes(max_bytes)} MB are loaded; split "
            "it, or raise --max-megabytes"
        )
    if whole and size > MAX_WHOLE_BYTES:
        raise UnreadableFileError(
            f"{path}: {_megabytes(size)} MB; at most {_megabytes(MAX_WHOLE_BYTES)} MB of "
            f"{path.suffix} can be loaded; split it, or give it as text"
        )
    if size == 0:
        raise UnreadableFileError(f"{path}: is empty")


def _check_text(path: Path, encoding: str) -> None:
    decode = codecs.getincrementaldecoder(encoding)()
    try:
        for block in _blocks(path):
            if "\0" in decode.decode(block):
                raise UnreadableFileError(f"{path}: is not text but binary data")
        decode.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"{path}: is not UTF-8 text ({error.reason})") from None


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as opened:
        while block := opened.read(_BLOCK):
            yield block


def _megabytes(size: int) -> str:
    return f"{size / MEGABYTE:.1f}".removesuffix(".0")


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
