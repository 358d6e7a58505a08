"""From a tool's declared parameters to a JSON schema, and from a model's text to checked values."""

import json
from typing import Any

from agents.tool import (
    AgentTool,
    ApiTool,
    CodeTool,
    McpFunctionTool,
    Parameter,
    RetrievalTool,
    Tool,
)

MAX_ARGUMENT_CHARACTERS = 100_000

_QUERY = Parameter(name="query", required=True, description="What to search for.")
_CODE = Parameter(
    name="code",
    required=True,
    description="Python; the value of the last expression is the result. No files, no network.",
)
_QUESTION = Parameter(name="question", required=True, description="What to ask the person.")
_MESSAGE = Parameter(name="message", required=True, description="What to ask the other agent.")


class ArgumentsError(ValueError):
    """The model's arguments don't fit; the text tells the model what would."""


def parameters_of(tool: Tool) -> tuple[Parameter, ...] | None:
    """The declared parameters or the type's own; None: the tool has a schema instead."""
    if tool.parameters is not None:
        return tool.parameters
    if isinstance(tool, ApiTool | McpFunctionTool):
        return None
    if isinstance(tool, RetrievalTool):
        return (_QUERY,)
    if isinstance(tool, AgentTool):
        return (_MESSAGE,)
    return (_code(tool),) if isinstance(tool, CodeTool) else (_QUESTION,)


def schema_of(tool: Tool) -> dict[str, Any]:
    """The JSON schema of the tool's arguments; undeclared arguments are refused by it."""
    if isinstance(tool, McpFunctionTool):
        return tool.input_schema
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
    if len(text) > MAX_ARGUMENT_CHARACTERS:
        raise ArgumentsError(f"the arguments are longer than {MAX_ARGUMENT_CHARACTERS} characters")
    try:
        arguments = json.loads(text or "{}")
    except (ValueError, RecursionError):
        raise ArgumentsError("the arguments are not JSON") from None
    if mistakes := _mistakes(schema_of(tool), arguments):
        raise ArgumentsError("; ".join(mistakes[:10]))
    defaults = {
        each.name: each.default for each in parameters_of(tool) or () if each.default is not None
    }
    return {**defaults, **arguments}


def _mistakes(schema: dict[str, Any], arguments: Any) -> list[str]:
    from jsonschema import Draft202012Validator
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    # An empty registry: a schema from outside must not make the validator fetch what it refers to.
    registry: Registry[Any] = Registry()
    validator = Draft202012Validator(schema, registry=registry)
    try:
        return [
            f"{error.json_path}: {error.message[:200]}"
            for error in validator.iter_errors(arguments)
        ]
    except (Unresolvable, RecursionError):
        return ["the tool's own schema can't be followed"]


def _code(tool: CodeTool) -> Parameter:
    if tool.config.language == "python":
        return _CODE
    tables = ", ".join(tool.config.tables)
    text = f"One SELECT statement in SQLite's dialect over the tables: {tables}."
    return Parameter(name="code", required=True, description=text)


def _property(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {**(parameter.json_schema or {}), "type": parameter.type}
    if parameter.description:
        schema["description"] = parameter.description
    if parameter.default is not None:
        schema["default"] = parameter.default
    if parameter.enum:
        schema["enum"] = list(parameter.enum)
    return schema
