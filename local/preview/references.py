"""Stacks that a previewed stack reads: their outputs, made up on this machine and said to be so.

A preview has a state of its own, in which no other stack was ever deployed. So the other one's file
is previewed first, with stand-ins for the cloud, and what it would export goes into that state.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from local.engine import Engine, EngineResult
from local.engine.events import STACK
from local.engine.stack_files import KEY
from local.paths import CHECKOUT
from local.report import UserError

ORGANIZATION = "organization"

Preview = Callable[[str, Path], EngineResult]


def referenced(text: str) -> str | None:
    """Full name of the stack that a stack file reads: a tenant's platform, a platform's foundation.

    None for a file that reads none, or that no program could read.
    """
    try:
        data = yaml.safe_load(text)["config"][KEY]
        platform, cluster = data.get("platform"), data.get("cluster")
        found = platform["stack"] if platform else cluster["stack"]["name"]
    except (yaml.YAMLError, AttributeError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) and found.count("/") == 2 else None


def of_this_state(text: str) -> str:
    """The file's text with the organization that a file backend knows."""
    name = referenced(text)
    if name is None:
        return text
    return text.replace(name, f"{ORGANIZATION}/{name.split('/', 1)[1]}")


def bases(file: Path) -> Iterator[tuple[str, Path]]:
    """The stacks below `file` with their files, the lowest first.

    They are looked for beside it, then in the checkout; UserError where there is none, or where
    stacks stand on each other.
    """
    found: list[tuple[str, Path]] = []
    while (name := referenced(file.read_text(encoding="utf-8"))) is not None:
        short = name.rpartition("/")[2]
        if short in {stack for stack, _ in found}:
            raise UserError(f"stack {short!r} stands on itself; correct the names of the stacks")
        places = [folder / f"Pulumi.{short}.yaml" for folder in (file.parent, CHECKOUT)]
        there = next((each for each in places if each.is_file()), None)
        if there is None:
            raise UserError(
                f"{file.name} reads the outputs of stack {short!r}, and a preview makes them up "
                f"out of its file; put {places[0].name} beside it, or into the checkout"
            )
        found.append((short, there))
        file = there
    return reversed(found)


def make_up(engine: Engine, stack: str, file: Path, preview: Preview) -> str:
    """Give `engine`'s state the outputs that `stack` would have; returns what to say about them.

    UserError where its own preview fails.
    """
    result = preview(stack, file)
    if not result.ok or result.errors:
        raise UserError(*(f"stack {stack!r}: {line}" for line in result.errors))
    text = json.dumps(_deployment(engine, stack, result.outputs))
    imported = engine.state.root / f"{stack}.json"
    imported.write_text(text, encoding="utf-8")
    done = engine.run("stack", "import", "--file", str(imported), stack=stack)
    if not done.ok:
        raise UserError(*done.errors)
    shown = file.relative_to(CHECKOUT) if file.is_relative_to(CHECKOUT) else file
    return f"outputs of stack {stack} are PLACEHOLDERS, made up by a preview of {shown}"


def _deployment(engine: Engine, stack: str, outputs: dict[str, Any]) -> dict[str, Any]:
    """A state that holds the stack and its outputs alone."""
    project = engine.stack_files.project()
    urn = f"urn:pulumi:{stack}::{project}::{STACK}::{project}-{stack}"
    manifest = {"time": "1970-01-01T00:00:00Z", "magic": "", "version": ""}
    root = {"urn": urn, "custom": False, "type": STACK, "outputs": outputs}
    return {"version": 3, "deployment": {"manifest": manifest, "resources": [root]}}
