"""What is wrong with a stack file, a line each: where, what was given, what is allowed."""

import re
import types
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

REFERENCE = "docs/configuration.md"
LONGEST_VALUE = 60
_SENSITIVE = re.compile(r"pass(word|phrase)|token|secret|credential|api_?key|private_?key", re.I)


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line per mistake, in the order of the file's model; `model` is what was validated.

    Values under a key that sounds like a secret, and values of unknown keys, are never shown.
    """
    lines: list[str] = []
    details = error.errors(include_url=False)
    for detail in details:
        if _follows_from_another(detail, details):
            continue
        place = Place.of(model, detail["loc"])
        raised = detail.get("ctx", {}).get("error")
        if isinstance(raised, BrokenRulesError):
            prefix = f"{place.path}." if place.path else ""
            lines += [f"{prefix}{line}" for line in str(raised).splitlines()]
        else:
            lines.append(_line(detail, place, raised))
    return lines


class BrokenRulesError(ValueError):
    """Several broken rules between keys of one model, a line each; a line starts with its path."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))


def _follows_from_another(detail: ErrorDetails, details: list[ErrorDetails]) -> bool:
    """A list is also too short when the only item of it was refused."""
    loc = detail["loc"]
    inside = any(it["loc"][: len(loc)] == loc and len(it["loc"]) > len(loc) for it in details)
    return detail["type"] == "too_short" and inside


@dataclass(frozen=True)
class Place:
    """Where in the file a mistake is, in the file's own spelling."""

    path: str
    keys: tuple[str, ...]
    """What may stand beside the last part of the path."""

    @classmethod
    def of(cls, model: type[BaseModel], loc: tuple[int | str, ...]) -> "Place":
        """Follow `loc` through the model; the tag of a union's member is no part of the file."""
        path = ""
        keys: tuple[str, ...] = ()
        here: Any = model
        for part in loc:
            tagged = _tagged(here, part)
            if tagged is not None:
                here = tagged
                continue
            path += f"[{part}]" if isinstance(part, int) else f".{part}"
            keys, here = _step(here, part)
        return cls(path.lstrip("."), keys)


def _line(detail: ErrorDetails, place: Place, raised: Any) -> str:
    kind, value = detail["type"], detail["input"]
    path = place.path or "(the whole key)"
    if kind == "extra_forbidden":
        return f"{path}: unknown key; {_known_keys(place)}"
    if kind == "missing":
        return f"{path}: missing; give it a value ({REFERENCE} says which)"
    if isinstance(raised, ValueError) and isinstance(value, dict):
        return f"{path}: {raised}"
    given = f"{path}: got {_shown(path, value)}; "
    if kind == "literal_error":
        return given + _choices(detail)
    if kind == "union_tag_invalid":
        return given + f"allowed: {detail['ctx']['expected_tags']}; choose one of these"
    if raised is not None:
        return f"{given}allowed: {raised}"
    allowed = detail["msg"].removeprefix("Input should be ")
    return f"{given}allowed: {allowed}; correct it ({REFERENCE})"


def _shown(path: str, value: Any) -> str:
    if _SENSITIVE.search(path):
        return "a hidden value"
    if isinstance(value, dict | list | tuple):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = "null" if value is None else repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _choices(detail: ErrorDetails) -> str:
    expected = str(detail.get("ctx", {}).get("expected", ""))
    choices = re.findall(r"'([^']*)'", expected)
    near = get_close_matches(str(detail["input"]), choices, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "choose one of these"
    return f"allowed: {expected}; {hint}"


def _known_keys(place: Place) -> str:
    given = place.path.rpartition(".")[2]
    near = get_close_matches(given, place.keys, n=1, cutoff=0.5)
    if near:
        return f"did you mean '{near[0]}'? Allowed here: {', '.join(place.keys)}"
    return f"allowed here: {', '.join(place.keys) or '(nothing)'}; remove it or pick one of these"


def _step(annotation: Any, part: int | str) -> tuple[tuple[str, ...], Any]:
    """One part further: the keys allowed in this place, and what the part leads to."""
    keys: tuple[str, ...] = ()
    for option in _options(annotation):
        if isinstance(option, type) and issubclass(option, BaseModel):
            fields = {field.alias or name: field for name, field in option.model_fields.items()}
            keys += tuple(fields)
            if part in fields:
                return tuple(fields), fields[str(part)].annotation
        elif get_origin(option) in (dict, tuple, list):
            return (), get_args(option)[1 if get_origin(option) is dict else 0]
    return keys, None


def _tagged(annotation: Any, tag: int | str) -> type[BaseModel] | None:
    """The member of a discriminated union that `tag` chooses."""
    members: list[Any] = [it for it in _options(annotation) if it is not type(None)]
    if len(members) < 2:
        return None
    for member in members:
        for field in getattr(member, "model_fields", {}).values():
            if get_origin(field.annotation) is Literal and tag in get_args(field.annotation):
                found: type[BaseModel] = member
                return found
    return None


def _options(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, or the annotation alone; `Annotated` is looked through."""
    if get_origin(annotation) is Annotated:
        return _options(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(it for option in get_args(annotation) for it in _options(option))
    return (annotation,)
