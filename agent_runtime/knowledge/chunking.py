"""Text into passages that are short enough to be found and long enough to be understood."""

import re

CHUNK_CHARACTERS = 1200
_BREAKS = (r"\n(?=#{1,6} )", r"\n\s*\n", r"\n", r"(?<=[.!?。])\s+", r"\s+")
"""Where to cut, best first: before a heading, between paragraphs, lines, sentences, words."""


def chunks(text: str, *, limit: int = CHUNK_CHARACTERS) -> list[str]:
    """Passages of at most `limit` characters that together hold all words of `text`, in order."""
    pieces = _split(text.strip(), limit, 0)
    joined: list[str] = []
    for piece in pieces:
        starts_section = piece.startswith("#")
        if joined and not starts_section and len(joined[-1]) + len(piece) + 2 <= limit:
            joined[-1] += "\n\n" + piece
        else:
            joined.append(piece)
    return joined


def _split(text: str, limit: int, level: int) -> list[str]:
    """Cut at the best kind of break; pieces still too long are cut at the next kind."""
    if len(text) <= limit and level > 0:
        return [text] if text else []
    if level == len(_BREAKS):
        return [text[start : start + limit] for start in range(0, len(text), limit)]
    parts = (part.strip() for part in re.split(_BREAKS[level], text))
    return [piece for part in parts if part for piece in _split(part, limit, level + 1)]
