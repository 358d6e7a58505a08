"""Writes the reference page and the JSON schema of a stack file out of the models themselves.

`python tools/generate_config_reference.py` writes both; `--check` only says whether they are fresh.
"""

import argparse
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import models_json_schema

from infra.config import (
    CHECKOUT,
    KEY,
    PROJECT,
    FoundationStackConfig,
    PlatformConfig,
    TenantStackConfig,
)

PAGE = CHECKOUT / "docs" / "configuration.md"
SCHEMA = CHECKOUT / "docs" / "schema" / "platform-config.schema.json"
ROOTS: tuple[type[BaseModel], ...] = (PlatformConfig, FoundationStackConfig, TenantStackConfig)
COMMAND = "python tools/generate_config_reference.py"
HEAD = f"""# Configuration reference

Generated from the models by `{COMMAND}`; do not edit.

A stack file `Pulumi.<stack>.yaml` holds one structured key, `{PROJECT}:{KEY}`. Unknown keys are
refused, and all mistakes are told at once, each with its path and what is allowed. Editors that
read `# yaml-language-server: $schema=docs/schema/{SCHEMA.name}` complete and check while you type.
Secrets never stand in a stack file: it names where they come from (`secrets`).
"""


def schema() -> dict[str, Any]:
    """JSON schema of a whole stack file."""
    references, found = models_json_schema(
        [(model, "validation") for model in ROOTS], by_alias=True, title="Stack file"
    )
    either = [references[model, "validation"] for model in ROOTS]
    key = f"{PROJECT}:{KEY}"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stack file of agentic-platform",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "required": [key],
                "properties": {
                    key: {"anyOf": either},
                    "aws:region": {"type": "string"},
                    "pulumi:disable-default-providers": {"const": ["*"]},
                },
            }
        },
        "$defs": found["$defs"],
    }


def page() -> str:
    """The reference page in Markdown: a table for each model, in the order of first mention."""
    return HEAD + "".join(section(model) for model in mentioned_models(ROOTS)) + "\n"


def mentioned_models(roots: tuple[type[BaseModel], ...]) -> list[type[BaseModel]]:
    """The models themselves and every model below them, each once."""
    found: list[type[BaseModel]] = []
    queue = list(roots)
    while queue:
        model = queue.pop(0)
        if model in found:
            continue
        found.append(model)
        queue += [it for field in model.model_fields.values() for it in _inside(field.annotation)]
    return found


def _inside(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _inside(argument)


def section(model: type[BaseModel]) -> str:
    """The table of one model."""
    rows = "".join(_row(field.alias or name, field) for name, field in model.model_fields.items())
    about = " ".join((model.__doc__ or "").split())
    return (
        f"\n## {model.__name__}\n\n{about}\n\n"
        f"| key | value | default | meaning |\n|---|---|---|---|\n{rows}"
    )


def _row(key: str, field: FieldInfo) -> str:
    default = "required" if field.is_required() else f"`{_default(field)}`"
    about = " ".join((field.description or "").split())
    cells = (f"`{key}`", _type(field.annotation), default, about)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    text = json.dumps(_plain(value), ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin in (Union, types.UnionType):
        return " or ".join(_type(it) for it in arguments)
    if origin is Literal:
        return ", ".join(f"`{it}`" for it in arguments)
    if origin in (tuple, list):
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"map of {_type(arguments[1])} by name"
    if annotation is type(None):
        return "null"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    names = {str: "text", int: "number", float: "number", bool: "true or false", Path: "path"}
    return names.get(annotation, str(annotation))


def main() -> int:
    """Write, or with `--check` compare; 1 when a committed file is not fresh."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when not fresh")
    only_check = parser.parse_args().check
    wanted = {PAGE: page(), SCHEMA: json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"}
    stale = [
        path
        for path, text in wanted.items()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    for path in stale:
        if only_check:
            print(f"{path.relative_to(CHECKOUT)} is not fresh: run `{COMMAND}`", file=sys.stderr)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8")
        print(f"wrote {path.relative_to(CHECKOUT)}")
    return 1 if stale and only_check else 0


if __name__ == "__main__":
    sys.exit(main())
