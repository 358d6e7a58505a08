"""A document as ingestion sees it: what it is called, and its text section by section."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_SECTION_CHARACTERS = 64 * 1024
"""Longest piece of text in memory at once; a longer section comes as several."""


class UnreadableFileError(ValueError):
    """A file that can't be loaded; one line that says why."""


@dataclass(frozen=True)
class Section:
    """A part of a document that belongs together."""

    text: str
    heading: str = ""
    """Headings above it, outermost first: `Installation > Linux`."""
    page: int = 0
    """Number in a paged document, from 1."""
    bytes_read: int = 0
    """How far into the file its end is."""


@dataclass(frozen=True)
class Document:
    """One file; `sections` reads it while it is gone through, once."""

    path: Path
    source: str
    """What answers name: from the front matter, else the path below the folder that was given."""
    title: str
    language: str
    sections: Iterator[Section]
