"""The text of PDF files, page by page."""

import logging
from collections.abc import Iterator
from typing import Any

from agent_runtime.knowledge.document import Document, Section, UnreadableFileError
from agent_runtime.knowledge.source_file import SourceFile

MAX_PAGES = 10_000


def pdf_document(file: SourceFile) -> Document:
    """A PDF with text in it. Raises UnreadableFileError."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    # it warns of every oddity of a file, and there are few without one
    logging.getLogger("pypdf").setLevel(logging.ERROR)
    try:
        reader = PdfReader(file.path)
        locked = reader.is_encrypted and not reader.decrypt("")
        pages = 0 if locked else len(reader.pages)
        title = "" if locked or reader.metadata is None else reader.metadata.title or ""
    except (PyPdfError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _broken(file, error) from None
    if locked:
        raise UnreadableFileError(f"{file.path}: is locked by a password; save it without one")
    if pages > MAX_PAGES:
        raise UnreadableFileError(f"{file.path}: {pages} pages; at most {MAX_PAGES} are loaded")
    sections = _sections(file, reader, pages)
    return Document(file.path, file.name, title.strip() or file.path.stem, "", sections)


def _sections(file: SourceFile, reader: Any, pages: int) -> Iterator[Section]:
    found = False
    for number in range(pages):
        try:
            text = reader.pages[number].extract_text().strip()
        except Exception as error:  # noqa: BLE001 # hostile files break the parser in many ways
            raise _broken(file, error) from None
        if text:
            found = True
            yield Section(text, page=number + 1, bytes_read=file.bytes * (number + 1) // pages)
    if not found:
        raise UnreadableFileError(
            f"{file.path}: holds no text on {pages} pages; scans need text recognition first"
        )


def _broken(file: SourceFile, error: Exception) -> UnreadableFileError:
    return UnreadableFileError(f"{file.path}: is a broken PDF ({type(error).__name__})")
