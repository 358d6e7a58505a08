"""From a validation error to a line that says where the mistake is and what would be right."""

import types
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from agents.errors import Mistake
from agents.yaml_source import Parsed, Path

_MAX_SHOWN = 60
TYPES = ("api", "retrieval", "code", "human", "openapi", "mcp", "agent")


def mistakes_of(model: type[BaseModel], parsed: Parsed) -> list[Mistake]:
    """Every mistake of one document against `model`, in the order of the text."""
    try:
        model.model_validate(parsed.data)
    except ValidationError as error:
        found = [_mistake(model, parsed, details) for details in error.errors(include_url=False)]
        return sorted(found, key=lambda each: (each.line or 0, each.column or 0))
    return []


def _mistake(model: type[BaseModel], parsed: Parsed, details: ErrorDetails) -> Mistake:
    path, holder = _place(model, details["loc"])
    where = path[:-1] if details["type"] == "missing" else path
    problem = _problem(details, path, holder)
    return parsed.mistake(where, written(path), problem)


def written(path: Path) -> str:
    """A path as people write it: `spec.tools[0].name`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _place(model: Any, location: Path) -> tuple[Path, type[BaseModel] | None]:
    """The path in the text (union tags left out) and the model that holds its last part."""
    path: list[str | int] = []
    holder: type[BaseModel] | None = None
    current = [model]
    for part in location:
        tagged = [each for each in current if _tag(each) == part]
        if tagged:
            current = list(_alternatives(tagged[0], keep_tags=False))
            continue
        holder = next((each for each in current if _is_model(each)), None)
        path.append(part)
        current = list(_children(current, part))
    return tuple(path), holder


def _is_model(value: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(value, type) and issubclass(value, BaseModel)


def _children(candidates: list[Any], part: str | int) -> Iterator[Any]:
    for candidate in candidates:
        if _is_model(candidate):
            for name, field in candidate.model_fields.items():
                if part in (field.alias, name):
                    yield from _alternatives(field.annotation)
        elif get_origin(candidate) in (tuple, list, dict):
            for argument in get_args(candidate):
                yield from _alternatives(argument)


def _alternatives(annotation: Any, *, keep_tags: bool = True) -> Iterator[Any]:
    """The types that an annotation stands for, without Annotated and Union around them."""
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        if keep_tags and any(isinstance(mark, Tag) for mark in marks):
            yield annotation
        else:
            yield from _alternatives(inner)
    elif get_origin(annotation) in (Union, types.UnionType):
        for argument in get_args(annotation):
            yield from _alternatives(argument)
    else:
        yield annotation


def _tag(annotation: Any) -> str | None:
    """The tag under which pydantic reports a member of a discriminated union."""
    if get_origin(annotation) is Annotated:
        return next((mark.tag for mark in get_args(annotation)[1:] if isinstance(mark, Tag)), None)
    if _is_model(annotation) and "type" in annotation.model_fields:
        discriminator = annotation.model_fields["type"]
        if discriminator.is_required() and get_origin(discriminator.annotation) is Literal:
            return str(get_args(discriminator.annotation)[0])
    return None


def _problem(details: ErrorDetails, path: Path, holder: type[BaseModel] | None) -> str:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(str(path[-1]), holder)
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"{_shown(value)} is not allowed; allowed: {context['expected']}"
    if kind == "union_tag_invalid":
        allowed = context["expected_tags"].replace(", 'reference'", "")
        return f"type {context['tag']!r} is not allowed; allowed: {allowed}"
    if kind == "union_tag_not_found":
        return f"type is missing; allowed: {', '.join(map(repr, TYPES))}"
    if kind == "string_pattern_mismatch":
        return f"{_shown(value)} does not match {context['pattern']}"
    message = details["msg"].removeprefix("Input ")
    return f"{_shown(value)} {message}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…"


def _unknown_key(key: str, holder: type[BaseModel] | None) -> str:
    fields = holder.model_fields if holder else {}
    allowed = [field.alias or name for name, field in fields.items()]
    by_lower = {each.lower(): each for each in allowed}
    near = get_close_matches(key.lower(), by_lower, n=1)
    hint = f"; did you mean {by_lower[near[0]]!r}?" if near else ""
    return f"unknown key {key!r}{hint} (allowed: {', '.join(allowed)})"
