"""What holds for every document, whatever stands in it."""

import contextlib
import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import json_path
from agents.document import ToolDocument, dump_documents, load_documents
from agents.errors import DocumentError
from agents.openapi import OpenApiError, imported
from agents.tool import OpenApiTool

pytestmark = pytest.mark.unit

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,20}[a-z0-9]", fullmatch=True)
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)
PARAMETERS = st.lists(
    st.fixed_dictionaries(
        {"name": st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,10}", fullmatch=True)},
        optional={"description": WORDS, "required": st.booleans(), "type": st.just("string")},
    ),
    max_size=4,
    unique_by=lambda each: each["name"],
)
CONFIGS = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.just("api"),
            "config": st.fixed_dictionaries(
                {"endpoint": st.just("https://x.example/a")},
                optional={
                    "method": st.sampled_from(["GET", "POST", "DELETE"]),
                    "timeout": st.sampled_from(["1s", "500ms", "2m"]),
                    "maxResponseBytes": st.integers(256, 1_048_576),
                },
            ),
            "parameters": PARAMETERS,
        }
    ),
    st.fixed_dictionaries({"type": st.just("code")}),
    st.fixed_dictionaries(
        {
            "type": st.just("retrieval"),
            "config": st.fixed_dictionaries(
                {"collection": st.just("c")}, optional={"topK": st.integers(1, 50)}
            ),
        }
    ),
)


def tool(name: str, spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    metadata = {"name": name}
    head = {"apiVersion": "kagent.dev/v1alpha1", "kind": "Tool", "metadata": metadata}
    return {**head, "spec": {**spec, **more}}


@given(NAMES, CONFIGS, WORDS)
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_back_equal(
    name: str, spec: dict[str, Any], description: str
) -> None:
    text = yaml.safe_dump(tool(name, spec, description=description), allow_unicode=True)
    documents = load_documents(text)
    assert load_documents(dump_documents(documents)) == documents


@given(NAMES, CONFIGS, st.from_regex(r"[a-zA-Z]{3,12}Zz", fullmatch=True), JSON)
@settings(max_examples=60, deadline=None)
def test_an_unknown_key_is_always_refused_at_its_line(
    name: str, spec: dict[str, Any], key: str, value: object
) -> None:
    text = json.dumps(tool(name, spec, **{key: value}), indent=1)
    with pytest.raises(DocumentError) as caught:
        load_documents(text, source="t.yaml")
    lines = text.splitlines()
    (mistake,) = (each for each in caught.value.mistakes if f"unknown key {key!r}" in each.problem)
    assert mistake.line is not None
    assert mistake.column is not None
    assert lines[mistake.line - 1][mistake.column - 1 :].startswith(json.dumps(key))


@given(st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_no_text_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(DocumentError):
        load_documents(text)


@given(JSON)
@settings(max_examples=100, deadline=None)
def test_no_data_breaks_the_models(data: object) -> None:
    text = json.dumps({"apiVersion": "kagent.dev/v1alpha1", "kind": "Tool", "spec": data})
    with pytest.raises(DocumentError):
        load_documents(text)


OPERATIONS = OpenApiTool.model_validate(
    {
        "name": "t",
        "type": "openapi",
        "config": {"inline": {}, "operations": ["op"], "server": "https://x.example"},
    }
)


@given(JSON, st.sampled_from(["get", "post"]))
@settings(max_examples=100, deadline=None)
def test_no_openapi_document_breaks_the_import(operation: object, method: str) -> None:
    known = operation if isinstance(operation, dict) else {"parameters": operation}
    item = {method: {**known, "operationId": "op"}}
    try:
        (made,) = imported(OPERATIONS, {"openapi": "3.1.0", "paths": {"/a": item}})
    except OpenApiError:
        return
    assert made.config.endpoint == "https://x.example/a"


@given(st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), JSON, max_size=4), st.data())
@settings(max_examples=60, deadline=None)
def test_a_selected_field_is_the_field(value: dict[str, Any], data: st.DataObject) -> None:
    for name, inner in value.items():
        assert json_path.select(f"$.{name}", value) == inner
        assert json_path.select(f"$['{name}']", value) == inner
        if isinstance(inner, list):
            assert json_path.select(f"$.{name}[*]", value) == inner
            assert json_path.select(f"$.{name}[0:2]", value) == inner[0:2]
    path = data.draw(st.text("$.[]*:'\"ab01-", max_size=12))
    with contextlib.suppress(ValueError):
        json_path.select(path, value)


def test_a_tool_as_the_cluster_gives_it_is_read() -> None:
    from agents.tool_object import tool_of_object

    data = tool("a", {"type": "code"})
    data["metadata"] |= {"uid": "x", "resourceVersion": "1", "managedFields": []}
    data |= {"apiVersion": "tools.kagent.dev/v1alpha1", "status": {"conditions": []}}
    assert isinstance(tool_of_object(data, source="Tool a"), ToolDocument)
