"""The part of JSONPath (RFC 9535) that picks fields: names, indexes, slices and wildcards."""

import re
from typing import Any

_STEP = re.compile(
    r"\.(?P<name>[A-Za-z_][A-Za-z0-9_-]*)"
    r"|\.(?P<every>\*)"
    r"|\[(?P<any>\*)\]"
    r"|\[(?P<index>-?[0-9]{1,9})\]"
    r"|\[(?P<from>-?[0-9]{0,9}):(?P<to>-?[0-9]{0,9})\]"
    r"|\[(?P<quote>['\"])(?P<key>[^'\"\\]+)(?P=quote)\]"
)
Step = str | int | slice | None
"""A member's name, an element's index, a slice of elements; None: every child."""


def parse(path: str) -> list[Step]:
    """The steps of `$.items[*].name`. Raises ValueError at the first part it can't read."""
    if not path.startswith("$"):
        raise ValueError(f"{path!r} must begin with $, as in $.items[*].name")
    steps: list[Step] = []
    at = 1
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            raise ValueError(f"{path!r} can't be read from {path[at : at + 20]!r} on")
        steps.append(_step(found))
        at = found.end()
    return steps


def _step(found: re.Match[str]) -> Step:
    if name := found["name"] or found["key"]:
        return name
    if found["index"] is not None:
        return int(found["index"])
    if found["from"] is not None:
        ends = (int(each) if each else None for each in (found["from"], found["to"]))
        return slice(*ends)
    return None


def select(path: str, value: Any) -> Any:
    """What `path` points at: one value where it can name only one, else a list; None: nothing."""
    steps = parse(path)
    found = [value]
    for step in steps:
        found = [child for each in found for child in _children(each, step)]
    if all(isinstance(step, str | int) for step in steps):
        return found[0] if found else None
    return found


def _children(value: Any, step: Step) -> list[Any]:
    if isinstance(value, dict):
        if step is None:
            return list(value.values())
        return [value[step]] if isinstance(step, str) and step in value else []
    if isinstance(value, list):
        if isinstance(step, slice):
            return value[step]
        if isinstance(step, int):
            return [value[step]] if -len(value) <= step < len(value) else []
        return list(value) if step is None else []
    return []
