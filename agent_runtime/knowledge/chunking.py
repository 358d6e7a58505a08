"""Text into passages that are short enough to be found and long enough to be understood."""

import re
from collections.abc import Iterator

CHUNK_CHARACTERS = 1200
OVERLAP_CHARACTERS = 150
_BREAKS = (
    (r"\n\s*\n", "\n\n"),
    (r"\n", "\n"),
    (r"(?<=[.!?。])\s+", " "),
    (r"\s+", " "),
)
"""Where to cut, best first, and what joins the parts again: paragraphs, lines, sentences, words."""


def chunks(
    text: str, *, limit: int = CHUNK_CHARACTERS, overlap: int = OVERLAP_CHARACTERS
) -> Iterator[str]:
    """Passages of at most `limit` characters that together hold all words of `text`, in order.

    A passage that goes on where another was cut begins with up to `overlap` characters of it, in
    whole sentences or, failing that, whole words.
    """
    text = text.strip()
    if len(text) <= limit:
        overlap = 0
    previous = ""
    for body in _joined(_split(text, limit - overlap, 0), limit - overlap):
        tail = _tail(previous, overlap - 1) if overlap else ""
        yield f"{tail}\n{body}" if tail else body
        previous = body


def _joined(pieces: Iterator[tuple[str, str]], limit: int) -> Iterator[str]:
    """Neighbours put together while they fit."""
    joined = ""
    for space, piece in pieces:
        if joined and len(joined) + len(space) + len(piece) <= limit:
            joined += space + piece
        else:
            if joined:
                yield joined
            joined = piece
    if joined:
        yield joined


def _split(text: str, limit: int, level: int, space: str = "") -> Iterator[tuple[str, str]]:
    """Cut at the best kind of break; pieces still too long are cut at the next kind.

    Each piece comes with the space that stood before it.
    """
    if len(text) <= limit:
        if text:
            yield space, text
    elif level == len(_BREAKS):
        for start in range(0, len(text), limit):
            yield "" if start else space, text[start : start + limit]
    else:
        pattern, between = _BREAKS[level]
        for part in re.split(pattern, text):
            if part.strip():
                yield from _split(part.strip(), limit, level + 1, space)
                space = between


def _tail(text: str, limit: int) -> str:
    """The last sentences of `text` that fit into `limit`, or its last words."""
    end = text[-limit:] if len(text) > limit else text
    if len(end) == len(text):
        return end
    for pattern in (r"(?<=[.!?。])\s+|\n+", r"\s+"):
        if cut := re.search(pattern, end):
            return end[cut.end() :].strip()
    return ""
