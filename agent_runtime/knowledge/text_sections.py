"""Plain text and Markdown, section by section, without holding the file in memory."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TextIO

import yaml

from agent_runtime.knowledge.document import (
    MAX_SECTION_CHARACTERS,
    Document,
    Section,
    UnreadableFileError,
)
from agent_runtime.knowledge.source_file import SourceFile

_HEADING = re.compile(r"(#{1,6})[ \t]+(.*?)[ \t#]*\n?")
_FENCE = re.compile(r"[ \t]{0,3}(```|~~~)")
_MAX_FRONT_MATTER = 16 * 1024


@dataclass
class _Headings:
    """The headings above the current line."""

    levels: list[tuple[int, str]] = field(default_factory=list)

    def enter(self, level: int, text: str) -> None:
        self.levels = [each for each in self.levels if each[0] < level]
        self.levels.append((level, text))

    @property
    def path(self) -> str:
        return " > ".join(text for _, text in self.levels if text)


def text_document(file: SourceFile) -> Document:
    """A text or Markdown file; front matter gives title, source and language."""
    with file.path.open(encoding=file.encoding) as opened:
        about, first_lines = _front_matter(file, opened)
        first = next((line for line in _lines(opened, first_lines) if line.strip()), "")
    heading = _HEADING.fullmatch(first)
    title = about.get("title") or (heading[2] if heading else "") or file.path.stem
    source = about.get("source") or file.name
    return Document(file.path, source, title, about.get("language", ""), _read(file))


def sections_of(lines: Iterable[str], *, position: "_Position | None" = None) -> Iterator[Section]:
    """Cut lines (of Markdown, if they hold any) before each heading, and where they get too long.

    A heading stays at the top of its section's text; what looks like one in a code block is none.
    """
    headings = _Headings()
    kept: list[str] = []
    size, fence = 0, ""
    for line in lines:
        mark = _FENCE.match(line)
        if mark:
            fence = "" if mark[1] == fence else (fence or mark[1])
        found = None if fence or mark else _HEADING.fullmatch(line)
        too_long = size >= MAX_SECTION_CHARACTERS or (
            size >= MAX_SECTION_CHARACTERS // 2 and not line.strip()
        )
        if kept and (found or too_long):
            yield from _section(kept, headings.path, position)
            kept, size = [], 0
        if found:
            headings.enter(len(found[1]), found[2])
        kept.append(line)
        size += len(line)
    yield from _section(kept, headings.path, position)


class _Position:
    """How far an open file has been read; it reads ahead by some kilobytes."""

    def __init__(self, opened: TextIO) -> None:
        self._opened = opened

    @property
    def bytes(self) -> int:
        return self._opened.buffer.tell()


def _section(lines: list[str], heading: str, position: _Position | None) -> Iterator[Section]:
    text = "".join(lines).strip()
    if text:
        yield Section(text, heading, bytes_read=position.bytes if position else 0)


def _read(file: SourceFile) -> Iterator[Section]:
    with file.path.open(encoding=file.encoding) as opened:
        _, first_lines = _front_matter(file, opened)
        yield from sections_of(_lines(opened, first_lines), position=_Position(opened))


def _lines(opened: TextIO, first_lines: list[str]) -> Iterator[str]:
    yield from first_lines
    # a limit, since a file may be one endless line
    while line := opened.readline(MAX_SECTION_CHARACTERS):
        yield line


def _front_matter(file: SourceFile, opened: TextIO) -> tuple[dict[str, str], list[str]]:
    """The YAML between two `---` lines at the top; and lines read that are no part of it."""
    first = opened.readline(MAX_SECTION_CHARACTERS)
    if first.rstrip() != "---":
        return {}, [first]
    lines: list[str] = []
    while (line := opened.readline(_MAX_FRONT_MATTER)) and line.rstrip() != "---":
        lines.append(line)
        if sum(map(len, lines)) > _MAX_FRONT_MATTER:
            return {}, [first, *lines]
    if not line:
        return {}, [first, *lines]
    try:
        about = yaml.safe_load("".join(lines))
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise UnreadableFileError(f"{file.path}: front matter is not YAML: {reason}") from None
    if not isinstance(about, dict):
        return {}, []
    return {str(key): str(value) for key, value in about.items()}, []
