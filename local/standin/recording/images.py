"""Image builds: nothing is built, but digests follow from what a builder would be sent."""

import fnmatch
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.standin.differences import Difference
from local.standin.wire import Properties, plain

IMAGE = "docker-build:index:Image"
CREDENTIALS = ("registries",)
"""Short-lived and no part of an image: the real plugin takes no new password for a change."""
INPUTS_OF_DIGEST = ("buildArgs", "platforms", "target")


class BuildContextError(Exception):
    """There is nothing to build from; the message names the path."""


def outputs(inputs: Properties) -> Properties:
    """`contextHash`, `digest` and `ref` of one build."""
    known: dict[str, Any] = plain(inputs)
    context = context_hash(known)
    rest = {key: known.get(key) for key in INPUTS_OF_DIGEST}
    text = json.dumps([context, rest], sort_keys=True, default=str)
    digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    tags = known.get("tags") or [""]
    return {"contextHash": context, "digest": digest, "ref": f"{tags[0]}@{digest}"}


def changes(found: list[Difference], state: Properties, news: Properties) -> list[Difference]:
    """`found` without fresh credentials, and with the context when a file in it has changed."""
    kept = [it for it in found if it.path[: len(CREDENTIALS)] != CREDENTIALS]
    if plain(state).get("contextHash") != context_hash(plain(news)):
        kept.append(Difference(("contextHash",), "update"))
    return kept


def context_hash(inputs: Mapping[str, Any]) -> str:
    """Of path, mode and content of every file that would be sent, and of the Dockerfile.

    Relative paths start at the folder in which the engine starts its plugins, the program's.
    """
    root = Path(str((inputs.get("context") or {}).get("location") or "."))
    dockerfile = Path(str((inputs.get("dockerfile") or {}).get("location") or root / "Dockerfile"))
    for path, exists in ((root, root.is_dir()), (dockerfile, dockerfile.is_file())):
        if not exists:
            raise BuildContextError(f"{path} is not there (seen from {Path.cwd()})")
    digest = hashlib.sha256(dockerfile.read_bytes())
    for name in sent(root, _lines(root, dockerfile)):
        file = root / name
        mode = f"{file.lstat().st_mode:o}"
        content = str(file.readlink()).encode() if file.is_symlink() else file.read_bytes()
        digest.update(json.dumps([name, mode, hashlib.sha256(content).hexdigest()]).encode())
    return digest.hexdigest()


def _lines(root: Path, dockerfile: Path) -> list[str]:
    """The ignore file of this Dockerfile, else that of the folder, as BuildKit chooses."""
    own = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    file = own if own.is_file() else root / ".dockerignore"
    text = file.read_text("utf-8") if file.is_file() else ""
    return [line.strip() for line in text.splitlines() if line.strip() and line[0] != "#"]


def sent(root: Path, lines: list[str]) -> list[str]:
    """Paths below `root` that no line leaves out, or that a later line takes back in."""
    found = []
    for folder, folders, files in os.walk(root):
        here = Path(folder).relative_to(root)
        folders[:] = sorted(it for it in folders if _may_hold(here / it, lines))
        found += [str(here / file) for file in files if not _left_out(here / file, lines)]
    return sorted(found)


def _left_out(path: Path, lines: list[str]) -> bool:
    result = False
    for line in lines:
        back = line.startswith("!")
        if result == back and _matches(path.parts, line.lstrip("!").strip("/ ").split("/")):
            result = not back
    return result


def _may_hold(folder: Path, lines: list[str]) -> bool:
    """Whether a walk has to look into it: an exception may lie inside of what is left out."""
    inside = any(line.startswith("!") and "/" in line.strip("!/ ") for line in lines)
    return inside or not _left_out(folder, lines)


def _matches(path: tuple[str, ...], pattern: list[str]) -> bool:
    """Whether the pattern fits the path or a folder above it; `**` is any number of folders."""
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(_matches(path[skip:], pattern[1:]) for skip in range(len(path) + 1)) and bool(
            path
        )
    return (
        bool(path) and fnmatch.fnmatchcase(path[0], pattern[0]) and _matches(path[1:], pattern[1:])
    )
