"""Answers in the form that a caller asked for (OpenAI's `response_format`)."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from agent_runtime.errors import invalid

REPAIR = (
    "Your last answer does not have the form that was asked for: {problem}. Answer again, with "
    "nothing but the corrected JSON."
)
MAX_SCHEMA = 65_536


def check_format(wanted: Mapping[str, Any] | None) -> None:
    """RequestError 400 where no answer could ever have this form."""
    if wanted is None or wanted.get("type") in ("text", "json_object"):
        return
    if wanted.get("type") != "json_schema":
        raise invalid("type is text, json_object or json_schema", param="response_format.type")
    schema = _schema(wanted)
    if not isinstance(schema, dict) or len(json.dumps(schema)) > MAX_SCHEMA:
        text = f"a JSON schema of at most {MAX_SCHEMA} bytes is needed"
        raise invalid(text, param="response_format.json_schema.schema")
    if elsewhere := [each for each in _references(schema) if not each.startswith("#")]:
        text = f"a $ref may only point into the schema itself, not to {elsewhere[0][:100]!r}"
        raise invalid(text, param="response_format.json_schema.schema")
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import Draft202012Validator

    try:
        Draft202012Validator.check_schema(schema)
    except (SchemaError, RecursionError) as error:
        text = f"no JSON schema: {str(error).partition(chr(10))[0][:200]}"
        raise invalid(text, param="response_format.json_schema.schema") from None


def problem_of(text: str, wanted: Mapping[str, Any] | None) -> str:
    """What keeps an answer from having the form; empty if it has it."""
    if wanted is None or wanted.get("type") == "text":
        return ""
    try:
        value = json.loads(text)
    except ValueError as error:
        return f"it is not JSON ({error})"
    if wanted.get("type") == "json_object":
        return "" if isinstance(value, dict) else "it is not a JSON object"
    return _against(_schema(wanted), value)


def _against(schema: Any, value: Any) -> str:
    from jsonschema.exceptions import best_match
    from jsonschema.validators import Draft202012Validator, extend
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    def passed_over(*_: Any) -> Iterator[Any]:
        """A caller's regular expression could keep this process busy for ever."""
        return iter(())

    unread = {"pattern": passed_over, "patternProperties": passed_over}
    checks = extend(Draft202012Validator, unread)
    try:
        # an empty registry: nothing is ever fetched
        worst = best_match(checks(schema, registry=Registry()).iter_errors(value))
    except (Unresolvable, RecursionError):
        text = "a $ref of the schema points to nothing, or in a circle"
        raise invalid(text, param="response_format.json_schema.schema") from None
    return f"{worst.json_path}: {worst.message[:300]}" if worst else ""


def _references(schema: Any) -> Iterator[str]:
    """Every `$ref` and `$dynamicRef`, at any depth."""
    open_parts = [schema]
    while open_parts:
        part = open_parts.pop()
        if isinstance(part, dict):
            found = (part.get("$ref"), part.get("$dynamicRef"))
            yield from (each for each in found if isinstance(each, str))
            open_parts += part.values()
        elif isinstance(part, list):
            open_parts += part


def _schema(wanted: Mapping[str, Any]) -> Any:
    named = wanted.get("json_schema")
    return named.get("schema") if isinstance(named, Mapping) else None
