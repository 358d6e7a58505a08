"""Text and Markdown files as documents."""

from dataclasses import dataclass
from pathlib import Path

import yaml

SUFFIXES = (".md", ".txt")
MAX_BYTES = 10 * 1024 * 1024


class UnreadableFileError(ValueError):
    """A file that can't be loaded; one line that says why."""


@dataclass(frozen=True)
class TextFile:
    """A document; `source` and `title` come from its front matter where there is one."""

    source: str
    title: str
    language: str
    text: str


def files_under(paths: list[Path]) -> list[Path]:
    """The loadable files of these paths, folders searched through, in a stable order."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*") if each.suffix in SUFFIXES)
            # a mounted ConfigMap holds each file twice: once more under its hidden `..data`
            found += [each for each in inside if not _hidden(each.relative_to(path))]
        elif path.is_file():
            found.append(path)
        else:
            raise UnreadableFileError(f"{path}: there is no such file or folder")
    if not found:
        named = ", ".join(str(path) for path in paths)
        raise UnreadableFileError(f"{named}: no file ends in {' or '.join(SUFFIXES)}")
    return found


def read_text_file(path: Path) -> TextFile:
    """The document in a file. Raises UnreadableFileError."""
    if path.suffix not in SUFFIXES:
        raise UnreadableFileError(f"{path}: only {', '.join(SUFFIXES)} can be loaded")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise UnreadableFileError(f"{path}: {size} bytes; at most {MAX_BYTES} are loaded")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UnreadableFileError(f"{path}: is not UTF-8 text") from None
    about, body = _front_matter(path, text)
    title = about.get("title") or _heading(body) or path.stem
    return TextFile(about.get("source") or path.name, title, about.get("language", ""), body)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _front_matter(path: Path, text: str) -> tuple[dict[str, str], str]:
    """The YAML between two `---` lines at the top, and what follows it."""
    if not text.startswith("---\n"):
        return {}, text
    head, mark, body = text[4:].partition("\n---\n")
    if not mark:
        return {}, text
    try:
        about = yaml.safe_load(head)
    except yaml.YAMLError as error:
        line = str(error).splitlines()[0]
        raise UnreadableFileError(f"{path}: front matter is not YAML: {line}") from None
    if not isinstance(about, dict):
        return {}, text
    return {str(key): str(value) for key, value in about.items()}, body


def _heading(text: str) -> str:
    first = text.lstrip().partition("\n")[0]
    return first.lstrip("#").strip() if first.startswith("#") else ""
