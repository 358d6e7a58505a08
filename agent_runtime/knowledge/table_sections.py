"""CSV files: every row with the names of its columns, so that a passage is understood alone."""

import csv
import io
from collections.abc import Iterator

from agent_runtime.knowledge.document import Document, Section, UnreadableFileError
from agent_runtime.knowledge.source_file import SourceFile

_SAMPLE = 64 * 1024
_SECTION_CHARACTERS = 8 * 1024
_DELIMITERS = ",;\t|"
MAX_COLUMNS = 500


def table_document(file: SourceFile) -> Document:
    """A table whose first row names the columns. Raises UnreadableFileError."""
    return Document(file.path, file.name, file.path.stem, "", _sections(file))


def _sections(file: SourceFile) -> Iterator[Section]:
    with (
        file.path.open("rb") as raw,
        io.TextIOWrapper(raw, encoding=file.encoding, newline="") as opened,
    ):
        sample = opened.read(_SAMPLE)
        opened.seek(0)
        rows = csv.reader(opened, delimiter=_delimiter(sample), skipinitialspace=True, strict=True)
        try:
            names = [name.strip() for name in next(rows, [])]
            if not any(names) or len(names) > MAX_COLUMNS:
                problem = f"{len(names)} columns in the first row; 1 to {MAX_COLUMNS} are loaded"
                raise UnreadableFileError(f"{file.path}: {problem}")
            kept: list[str] = []
            for row in rows:
                kept.append(_line(names, row))
                if sum(map(len, kept)) >= _SECTION_CHARACTERS:
                    yield Section("\n\n".join(kept), bytes_read=raw.tell())
                    kept = []
            if kept:
                yield Section("\n\n".join(kept), bytes_read=file.bytes)
        except csv.Error as error:
            raise UnreadableFileError(f"{file.path}: line {rows.line_num}: {error}") from None


def _delimiter(sample: str) -> str:
    """Only this is guessed; quotes are always read as RFC 4180 has them."""
    try:
        return csv.Sniffer().sniff(sample, delimiters=_DELIMITERS).delimiter or ","
    except csv.Error:
        return ","


def _line(names: list[str], row: list[str]) -> str:
    """`column: value` for every cell that holds something."""
    cells = [*row[: len(names)]]
    if len(row) > len(names):
        cells[-1] = " ".join(row[len(names) - 1 :])
    named = zip(names, cells, strict=False)
    return "; ".join(f"{name or '?'}: {cell.strip()}" for name, cell in named if cell.strip())
