"""The generated reference page and schema of the stack file."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.infra.stack_data import FILES, STACKS, platform_data
from tools.generate_config_reference import PAGE, ROOTS, SCHEMA, mentioned_models, page, schema

pytestmark = pytest.mark.unit


def whole(platform: dict[str, Any]) -> dict[str, Any]:
    return {"config": {"agentic-platform:platform": platform}}


def test_the_committed_page_and_schema_are_what_the_models_say() -> None:
    assert PAGE.read_text("utf-8") == page(), "run python tools/generate_config_reference.py"
    assert json.loads(SCHEMA.read_text("utf-8")) == schema()


@pytest.mark.parametrize("name", STACKS)
def test_an_editor_finds_nothing_wrong_with_a_stack_file(name: str) -> None:
    validator = Draft202012Validator(schema())
    assert [error.message for error in validator.iter_errors(whole(platform_data(name)))] == []


def test_an_editor_sees_a_misspelt_key() -> None:
    data = platform_data("dev") | {"netwrok": {}}
    assert list(Draft202012Validator(schema()).iter_errors(whole(data)))


@pytest.mark.parametrize("name", STACKS)
def test_a_stack_file_tells_editors_where_its_schema_is(name: str) -> None:
    first = FILES[name].read_text().splitlines()[0]
    found = first.removeprefix("# yaml-language-server: $schema=")
    assert (FILES[name].parent / found).resolve() == SCHEMA


def test_every_key_is_explained() -> None:
    unexplained = [
        f"{model.__name__}.{key}"
        for model in mentioned_models(ROOTS)
        for key, field in model.model_fields.items()
        if not field.description
    ]
    assert unexplained == []
