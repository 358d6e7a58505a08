"""A file as a document, by what its name ends in."""

from collections.abc import Callable

from agent_runtime.knowledge.document import Document
from agent_runtime.knowledge.html_sections import html_document
from agent_runtime.knowledge.pdf_sections import pdf_document
from agent_runtime.knowledge.source_file import SourceFile
from agent_runtime.knowledge.table_sections import table_document
from agent_runtime.knowledge.text_sections import text_document

_READERS: dict[str, Callable[[SourceFile], Document]] = {
    ".txt": text_document,
    ".md": text_document,
    ".markdown": text_document,
    ".html": html_document,
    ".htm": html_document,
    ".pdf": pdf_document,
    ".csv": table_document,
    ".tsv": table_document,
}


def read_document(file: SourceFile) -> Document:
    """The document; its sections are read as they are asked for. Raises UnreadableFileError, also
    while its sections are gone through."""
    return _READERS[file.path.suffix.lower()](file)
