"""`check`: every mistake of the files, each with the place where it stands."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from agents.api_tool import OpenApiTool
from agents.document import (
    KINDS,
    AgentDocument,
    Document,
    ToolDocument,
    ToolReference,
    resolve_tools,
)
from agents.errors import DocumentError, Mistake
from agents.location import mistakes_of
from agents.openapi import OpenApiError, imported
from agents.tool import ToolBase, named
from agents.yaml_source import Parsed, parse


@dataclass(frozen=True)
class Checked:
    """What the files hold."""

    agents: list[AgentDocument]
    tools: list[ToolDocument]
    mistakes: list[Mistake]


def check(paths: Iterable[Path]) -> Checked:
    """Read every file; references are followed where Tools stand in the same files."""
    placed: list[tuple[Document, Parsed]] = []
    mistakes: list[Mistake] = []
    for path in paths:
        try:
            parsed = parse(path.read_text(encoding="utf-8"), str(path))
        except DocumentError as error:
            mistakes += error.mistakes
        except OSError as error:
            mistakes.append(Mistake(str(path), None, "", f"can't be read: {error.strerror}"))
        except UnicodeDecodeError:
            mistakes.append(Mistake(str(path), None, "", "is not UTF-8 text"))
        else:
            for each in parsed:
                document, found = _document(each)
                mistakes += found
                placed += [(document, each)] if document else []
    agents = [each for each, _ in placed if isinstance(each, AgentDocument)]
    tools = [each for each, _ in placed if isinstance(each, ToolDocument)]
    for document, where in placed:
        mistakes += _inside(document, where, tools)
    mistakes += _twice(placed)
    return Checked(agents, tools, mistakes)


def _document(parsed: Parsed) -> tuple[Document | None, list[Mistake]]:
    kind = parsed.data.get("kind") if isinstance(parsed.data, dict) else None
    model = KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        problem = f"kind {kind!r} is not known; allowed: {', '.join(KINDS)}"
        return None, [parsed.mistake(("kind",), "kind", problem)]
    found = mistakes_of(model, parsed)
    return (None, found) if found else (model.model_validate(parsed.data), [])


def _inside(document: Document, where: Parsed, tools: list[ToolDocument]) -> list[Mistake]:
    """What only shows when parts of documents are taken together."""
    if isinstance(document, ToolDocument):
        tool = named(document.metadata.name, document.spec)
        return [where.mistake(("spec",), "spec", each) for each in _unusable(tool)]
    found: list[Mistake] = []
    for index, each in enumerate(document.spec.tools):
        path = ("spec", "tools", index)
        written = f"spec.tools[{index}]"
        if isinstance(each, ToolReference):
            alone = document.model_copy(
                update={"spec": document.spec.model_copy(update={"tools": (each,)})}
            )
            try:
                resolve_tools(alone, tools)
            except DocumentError as error:
                found += [where.mistake(path, written, one.problem) for one in error.mistakes]
        else:
            found += [where.mistake(path, written, one) for one in _unusable(each)]
    return found


def _unusable(tool: ToolBase) -> list[str]:
    """What is wrong with schemas that the tool brings along."""
    found = [
        f"parameter {each.name!r}: its schema is none: {problem}"
        for each in tool.parameters or ()
        if each.json_schema is not None and (problem := _schema_problem(each.json_schema))
    ]
    if isinstance(tool, OpenApiTool) and tool.config.inline is not None:
        try:
            imported(tool, tool.config.inline)
        except OpenApiError as error:
            found.append(str(error))
    return found


def _schema_problem(schema: dict[str, object]) -> str:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return str(error.message)[:200]
    return ""


def _twice(placed: list[tuple[Document, Parsed]]) -> list[Mistake]:
    seen: dict[tuple[str, str, str], str] = {}
    found: list[Mistake] = []
    for document, where in placed:
        about = document.metadata
        key = (document.kind, about.namespace, about.name)
        if key in seen:
            problem = f"{document.kind} {about.name!r} stands in {seen[key]} already"
            found.append(where.mistake(("metadata", "name"), "metadata.name", problem))
        line, _ = where.place(("metadata", "name")) or (0, 0)
        seen.setdefault(key, f"{where.source}:{line}")
    return found
