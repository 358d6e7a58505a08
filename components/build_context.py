"""What of a folder goes into an image, and a tag that changes with it and with nothing else."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TAG_DIGITS = 16


class Pattern(NamedTuple):
    """One line of a `.dockerignore`."""

    text: str
    expression: re.Pattern[str]
    keeps: bool
    """Whether it begins with `!`: what it matches is sent after all."""


def ignore_patterns(root: Path, dockerfile: str) -> list[Pattern]:
    """Those beside the Dockerfile (`<Dockerfile>.dockerignore`), else those of the folder."""
    for file in (root / f"{dockerfile}.dockerignore", root / ".dockerignore"):
        if file.is_file():
            lines = (line.strip() for line in file.read_text("utf-8").splitlines())
            return [_pattern(line) for line in lines if line and not line.startswith("#")]
    return []


def _pattern(line: str) -> Pattern:
    """A pattern also matches everything below what it matches."""
    keeps = line.startswith("!")
    text = line.removeprefix("!").strip().strip("/")
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", text)
    meanings = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    body = "".join(meanings.get(part, re.escape(part)) for part in parts)
    return Pattern(text, re.compile(f"{body}(?:/.*)?"), keeps)


def is_sent(path: str, patterns: list[Pattern]) -> bool:
    """Whether the builder sees `path`; the last line that matches decides."""
    for pattern in reversed(patterns):
        if pattern.expression.fullmatch(path):
            return pattern.keeps
    return True


def context_files(root: Path, dockerfile: str) -> list[str]:
    """Paths of every file that the builder sees, sorted; the Dockerfile itself is one of them."""
    patterns = ignore_patterns(root, dockerfile)
    found = {path for path in _walk(root, patterns) if is_sent(path, patterns)}
    return sorted(found | {dockerfile})


def _walk(root: Path, patterns: list[Pattern]) -> Iterator[str]:
    """Every file outside of folders of which nothing is sent, such as environments."""
    # `!a/b` keeps a part of a folder that another line leaves out as a whole.
    partly = any(pattern.keeps and "/" in pattern.text for pattern in patterns)
    for folder, folders, files in os.walk(root):
        here = Path(folder).relative_to(root)
        if not partly:
            folders[:] = [it for it in folders if is_sent((here / it).as_posix(), patterns)]
        folders.sort()
        for file in files:
            yield (here / file).as_posix()


def content_tag(root: Path, dockerfile: str, *settings: str) -> str:
    """A tag out of paths, execute bits and contents; `settings` are other inputs of the build."""
    digest = hashlib.sha256()
    for setting in settings:
        digest.update(f"{len(setting)}:{setting}".encode())
    for path in context_files(root, dockerfile):
        file = root / path
        content = str(file.readlink()).encode() if file.is_symlink() else file.read_bytes()
        runs = "x" if os.access(file, os.X_OK) else "-"
        digest.update(f"{len(path)}:{path}{runs}{len(content)}:".encode())
        digest.update(content)
    return f"src-{digest.hexdigest()[:TAG_DIGITS]}"
