"""Whose leftovers are looked for, and what is none."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.config import CHECKOUT

AWS_NAME = re.compile(r"arn:aws[\w-]*:.+|[a-z]+-[0-9a-f]{8,17}")
EXPORT_SECONDS = 120
UNKNOWN_STACK = "no stack named"


class StateError(Exception):
    """The stack's state can't be read; one line."""


@dataclass(frozen=True)
class Scope:
    """One stack's cluster in one region."""

    stack: str
    cluster: str
    region: str
    tags: dict[str, str]
    """Of every AWS resource of the stack."""
    retain: bool = False
    """Whether the stack leaves its data on AWS."""
    in_state: frozenset[str] = field(default_factory=frozenset)
    """Ids, names and ARNs that the state still has."""

    def has(self, *names: str) -> bool:
        """Whether the state knows one of these."""
        return any(name in self.in_state for name in names)


def names_in_state(export: dict[str, Any]) -> frozenset[str]:
    """Every id and ARN in an exported state: of its resources, and of what their outputs name."""
    deployment = export.get("deployment") or {}
    found: set[str] = set()
    for each in deployment.get("resources") or []:
        if each.get("id"):
            found.add(str(each["id"]))
        found.update(it for it in _texts(each.get("outputs")) if AWS_NAME.fullmatch(it))
    return frozenset(found)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def read_state(stack: str, file: Path | None) -> frozenset[str]:
    """Names in `file`, or in what `pulumi stack export` prints; none when the stack is gone.

    StateError when nobody can say: what the state has must never look like a leftover.
    """
    return names_in_state(_parsed(file.read_text("utf-8") if file else _exported(stack)))


def _exported(stack: str) -> str:
    command = ["pulumi", "stack", "export", "--stack", stack, "--non-interactive"]
    try:
        done = subprocess.run(
            command,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=EXPORT_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise StateError(
            "`pulumi` is not on PATH, so what the stack still has is unknown; install it, or give "
            "--state with a file of `pulumi stack export`"
        ) from None
    except subprocess.TimeoutExpired:
        raise StateError(
            f"`pulumi stack export` said nothing for {EXPORT_SECONDS} s; give --state with its file"
        ) from None
    if done.returncode == 0:
        return done.stdout
    said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
    if UNKNOWN_STACK in said:
        return "{}"
    raise StateError(
        f"`pulumi stack export --stack {stack}`: {said}; or give --state with its file"
    )


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise StateError("the state is no JSON as `pulumi stack export` writes it")
    return found
