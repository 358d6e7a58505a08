"""HTML as text with its headings, lists and tables; what a reader would not see is left out."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

from agent_runtime.knowledge.document import Document, Section
from agent_runtime.knowledge.source_file import SourceFile
from agent_runtime.knowledge.text_sections import sections_of

_UNSEEN = {"script", "style", "noscript", "template", "svg", "nav", "iframe", "object", "select"}
_VOID = {
    "br",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "wbr",
    "area",
    "base",
    "col",
    "embed",
    "source",
}
_BLOCKS = {
    *("p", "div", "section", "article", "main", "header", "footer", "blockquote", "pre", "figure"),
    *("ul", "ol", "dl", "dt", "dd", "table", "tr", "br", "hr", "address", "details", "summary"),
}
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\r\n\f]+")


class _Text(HTMLParser):
    """Collects Markdown-like text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.language = ""
        self._pieces: list[str] = []
        self._unseen: list[str] = []
        """Open elements inside of one that is not shown, itself included."""
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "html":
            self.language = given.get("lang") or ""
        if tag in _VOID:
            if not self._unseen and tag in _BLOCKS:
                self._pieces.append("\n")
            return
        if self._unseen or tag in _UNSEEN or _is_hidden(given):
            self._unseen.append(tag)
            return
        self._in_title = tag == "title"
        self._pieces.append(_opening(tag))

    def handle_endtag(self, tag: str) -> None:
        if self._unseen:
            if tag in self._unseen:
                while self._unseen.pop() != tag:
                    pass
            return
        if tag == "title":
            self._in_title = False
        elif re.fullmatch(r"h[1-6]", tag):
            self._pieces.append("\n\n")
        elif tag in _BLOCKS or tag == "li":
            self._pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if self._unseen:
            return
        if self._in_title:
            self.title += data
        else:
            self._pieces.append(_SPACE.sub(" ", data))

    def lines(self) -> Iterator[str]:
        text = "".join(self._pieces)
        for line in re.sub(r"\n\s*\n+", "\n\n", text).split("\n"):
            yield line.strip(" ") + "\n"


def _is_hidden(given: dict[str, str | None]) -> bool:
    return (
        "hidden" in given
        or given.get("aria-hidden") == "true"
        or bool(_HIDDEN_STYLE.search(given.get("style") or ""))
    )


def _opening(tag: str) -> str:
    if re.fullmatch(r"h[1-6]", tag):
        return "\n\n" + "#" * int(tag[1]) + " "
    if tag == "li":
        return "\n- "
    if tag in ("td", "th"):
        return " | "
    return "\n" if tag in _BLOCKS else ""


def html_document(file: SourceFile) -> Document:
    """A page; its title and language come from its own elements."""
    parser = _Text()
    parser.feed(file.path.read_text(encoding=file.encoding))
    parser.close()
    title = _SPACE.sub(" ", parser.title).strip() or file.path.stem
    return Document(
        file.path, file.name, title, parser.language[:16], _sections(parser, file.bytes)
    )


def _sections(parser: _Text, size: int) -> Iterator[Section]:
    for section in sections_of(parser.lines()):
        yield Section(section.text, section.heading, bytes_read=size)
