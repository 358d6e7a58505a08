"""Answers in the form that a caller asked for (OpenAI's `response_format`)."""

import json
from collections.abc import Mapping
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
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import Draft202012Validator

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        text = f"no JSON schema: {error.message[:200]}"
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
    from jsonschema.exceptions import best_match
    from jsonschema.validators import Draft202012Validator
    from referencing import Registry

    # an empty registry: a `$ref` to elsewhere must not make this process fetch it
    validator = Draft202012Validator(_schema(wanted), registry=Registry())
    worst = best_match(validator.iter_errors(value))
    return f"{worst.json_path}: {worst.message[:300]}" if worst else ""


def _schema(wanted: Mapping[str, Any]) -> Any:
    named = wanted.get("json_schema")
    return named.get("schema") if isinstance(named, Mapping) else None
