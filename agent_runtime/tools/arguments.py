"""From a tool's declared parameters to a JSON schema, and from a model's text to checked values."""

import json
from typing import Any

from agents.tool import ApiTool, CodeTool, Parameter, RetrievalTool, Tool

MAX_ARGUMENT_CHARACTERS = 100_000

_QUERY = Parameter(name="query", required=True, description="What to search for.")
_CODE = Parameter(
    name="code",
    required=True,
    description="Python; the value of the last expression is the result. No files, no network.",
)
_QUESTION = Parameter(name="question", required=True, description="What to ask the person.")


class ArgumentsError(ValueError):
    """The model's arguments don't fit; the text tells the model what would."""


def parameters_of(tool: Tool) -> tuple[Parameter, ...] | None:
    """The declared parameters or the type's own; None: any JSON object."""
    if tool.parameters is not None:
        return tool.parameters
    if isinstance(tool, ApiTool):
        return None
    if isinstance(tool, RetrievalTool):
        return (_QUERY,)
    return (_CODE,) if isinstance(tool, CodeTool) else (_QUESTION,)


def schema_of(tool: Tool) -> dict[str, Any]:
    """The JSON schema of the tool's arguments; unknown arguments are refused by it."""
    parameters = parameters_of(tool)
    if parameters is None:
        return {"type": "object"}
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {each.name: _property(each) for each in parameters},
        "additionalProperties": False,
    }
    if required := [each.name for each in parameters if each.required]:
        schema["required"] = required
    return schema


def function_of(tool: Tool) -> dict[str, Any]:
    """The tool as an OpenAI function definition."""
    function = {
        "name": tool.name,
        "description": tool.description or f"The tool {tool.name}.",
        "parameters": schema_of(tool),
    }
    return {"type": "function", "function": function}


def checked(tool: Tool, text: str) -> dict[str, Any]:
    """The model's arguments with defaults filled in, or ArgumentsError naming every mistake."""
    from jsonschema import Draft202012Validator

    if len(text) > MAX_ARGUMENT_CHARACTERS:
        raise ArgumentsError(f"the arguments are longer than {MAX_ARGUMENT_CHARACTERS} characters")
    try:
        arguments = json.loads(text or "{}")
    except (ValueError, RecursionError):
        raise ArgumentsError("the arguments are not JSON") from None
    mistakes = [
        f"{error.json_path}: {error.message[:200]}"
        for error in Draft202012Validator(schema_of(tool)).iter_errors(arguments)
    ]
    if mistakes:
        raise ArgumentsError("; ".join(mistakes[:10]))
    defaults = {
        each.name: each.default for each in parameters_of(tool) or () if each.default is not None
    }
    return {**defaults, **arguments}


def _property(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": parameter.type}
    if parameter.description:
        schema["description"] = parameter.description
    if parameter.default is not None:
        schema["default"] = parameter.default
    if parameter.enum:
        schema["enum"] = list(parameter.enum)
    return schema
