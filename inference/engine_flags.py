"""The flags that an engine really has, so that a misspelt one is refused before a GPU is rented."""

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("flags")


@cache
def known_flags(engine: str) -> frozenset[str]:
    """Every `--flag` of the pinned version; empty where no list was taken."""
    file = FOLDER / f"{engine}.txt"
    if not file.exists():
        return frozenset()
    lines = (line.strip() for line in file.read_text().splitlines())
    return frozenset(line for line in lines if line.startswith("--"))


def problems(engine: str, args: Sequence[str]) -> list[str]:
    """A line for each flag that the engine doesn't know; nothing where no list was taken."""
    known = known_flags(engine)
    if not known:
        return []
    return [_why(engine, flag, known) for flag in _flags(args) if flag not in known]


def _flags(args: Sequence[str]) -> list[str]:
    """`--flag value`, `--flag=value` and `--group.key value` (a part of a structured flag)."""
    written = [arg.split("=", 1)[0] for arg in args if arg.startswith("--")]
    return [flag.split(".", 1)[0].replace("_", "-") for flag in written]


def _why(engine: str, flag: str, known: frozenset[str]) -> str:
    near = get_close_matches(flag, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "see the engine's own --help"
    return f"engine {engine!r} has no flag {flag}; {hint}"
