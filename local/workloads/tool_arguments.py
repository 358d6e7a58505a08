"""Which arguments a small model fills in for a tool, as grammar (GBNF) and as examples.

A model of 270M parameters writes one or two strings well and nothing more, so only the required
parameters are asked for, and the grammar leaves no way to write something malformed.
GBNF: https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from local.workloads.openai_shapes import FunctionSpec

LONGEST_ARGUMENT = 160
STRING = rf'"\"" [^"\\\x00-\x1F]{{1,{LONGEST_ARGUMENT}}} "\""'
TYPES = {
    "string": STRING,
    "integer": '"-"? [0-9]{1,9}',
    "number": '"-"? [0-9]{1,9} ("." [0-9]{1,6})?',
    "boolean": '"true" | "false"',
    "array": '"[]"',
    "object": '"{}"',
}
EXAMPLES: dict[str, Any] = {"integer": 1, "number": 1, "boolean": True, "array": [], "object": {}}
LOOKUP = re.compile(r"search|find|look ?up|retriev|knowledge|faq", re.IGNORECASE)


@dataclass(frozen=True)
class Argument:
    """One argument to fill in."""

    name: str
    type: str
    choices: tuple[Any, ...] = ()

    def rule(self) -> str:
        """The grammar of its value."""
        if self.choices:
            return " | ".join(literal(json.dumps(choice)) for choice in self.choices)
        return TYPES.get(self.type, STRING)

    def example(self, text: str) -> Any:
        """A value for an example whose subject is `text`."""
        if self.choices:
            return self.choices[0]
        return EXAMPLES.get(self.type, text)


def literal(text: str) -> str:
    """`text` as a terminal of the grammar."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def arguments_of(tool: FunctionSpec) -> list[Argument]:
    """What to fill in: the required parameters, else the first one, else a free `text`."""
    properties = tool.parameters.get("properties")
    if not isinstance(properties, dict) or not properties:
        return [Argument("text", "string")]
    required = tool.parameters.get("required")
    names = [name for name in properties if isinstance(required, list) and name in required]
    return [_argument(name, properties[name]) for name in names or list(properties)[:1]]


def _argument(name: str, schema: Any) -> Argument:
    if not isinstance(schema, dict):
        return Argument(name, "string")
    kind = schema.get("type")
    choices = schema.get("enum")
    scalars = [each for each in choices or () if isinstance(each, str | int | float)]
    return Argument(name, kind if isinstance(kind, str) else "string", tuple(scalars))


def arguments_grammar(arguments: list[Argument]) -> str:
    """A grammar for ` {"name": value, …}` with exactly these arguments in this order."""
    parts = [
        f"{literal(('' if not n else ', ') + json.dumps(each.name) + ': ')} v{n}"
        for n, each in enumerate(arguments)
    ]
    rules = [f"v{n} ::= {each.rule()}" for n, each in enumerate(arguments)]
    return "\n".join([f'root ::= " {{" {" ".join(parts)} "}}"', *rules])


def choice_grammar(names: list[str]) -> str:
    """A grammar for one of the names."""
    return "root ::= " + " | ".join(literal(f" {name}") for name in names)


def is_lookup(tool: FunctionSpec) -> bool:
    """Whether the tool answers questions, rather than doing something."""
    return bool(LOOKUP.search(f"{tool.name} {tool.description}"))


def phrase(tool: FunctionSpec) -> str:
    """What a person says who wants the tool: `create-ticket` is "create a ticket"."""
    verb, *rest = re.split(r"[^A-Za-z0-9]+", tool.name.strip("-_.")) or ["use"]
    if not rest:
        return f"use {verb}"
    noun = " ".join(rest)
    article = "an" if noun[:1].lower() in "aeiou" else "a"
    return f"{verb} {article} {noun}"
