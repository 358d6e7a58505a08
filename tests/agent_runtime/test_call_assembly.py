"""Tool calls and chunks as models really stream them: fragments, other dialects, nonsense."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from agent_runtime.agent.completion import Completion, GarbledStreamError

pytestmark = pytest.mark.unit


def call(index: int | None, name: str | None, arguments: object, **more: Any) -> dict[str, Any]:
    place = {} if index is None else {"index": index}
    return {**place, **more, "function": {"name": name, "arguments": arguments}}


def assembled(*chunks: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    completion = Completion("m")
    for calls in chunks:
        completion.add({"choices": [{"delta": {"tool_calls": calls}}]})
    completion.add({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})
    completion.finish()
    made = completion.message()["tool_calls"]
    return [(each["id"], each["function"]["name"], each["function"]["arguments"]) for each in made]


@given(
    arguments=some.dictionaries(some.text(max_size=8), some.text(max_size=8), max_size=4),
    cuts=some.lists(some.integers(0, 60), max_size=8),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_arguments_are_the_same_however_they_were_cut(
    arguments: dict[str, str], cuts: list[int]
) -> None:
    text = json.dumps(arguments)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(edges)]
    both = [[call(0, None, piece), call(1, None, piece)] for piece in pieces]
    begun = [call(0, "search", "", id="a"), call(1, "order", "", id="b")]
    assert assembled(begun, *both) == [("a", "search", text), ("b", "order", text)]


@pytest.mark.parametrize(
    ("chunks", "wanted"),
    [
        pytest.param(
            [[call(0, "f", '{"a"', id="x")], [call(0, "f", ": 1}")]],
            [("x", "f", '{"a": 1}')],
            id="the name comes with every fragment",
        ),
        pytest.param(
            [[call(0, "f", "{}", id="x")], [call(0, "g", "{}", id="y")]],
            [("x", "f", "{}"), ("y", "g", "{}")],
            id="every call has index 0",
        ),
        pytest.param(
            [
                [call(None, "f", "{}", id="x")],
                [call(None, "g", "{", id="y")],
                [call(None, None, "}", id="y")],
            ],
            [("x", "f", "{}"), ("y", "g", "{}")],
            id="no index at all",
        ),
        pytest.param(
            [[call(None, "f", "{}"), call(None, "g", "{}")]],
            [("call_0", "f", "{}"), ("call_1", "g", "{}")],
            id="neither index nor id",
        ),
        pytest.param(
            [[call(0, "f", {"a": 1}, id="x")], [call(1, "g", {}, id="x")]],
            [("x", "f", '{"a": 1}'), ("call_1", "g", "{}")],
            id="arguments as objects, and the same id twice",
        ),
    ],
)
def test_other_dialects_of_tool_calls_are_understood(
    chunks: list[list[dict[str, Any]]], wanted: list[tuple[str, str, str]]
) -> None:
    assert assembled(*chunks) == wanted


@given(
    chunk=some.recursive(
        some.none() | some.booleans() | some.integers() | some.text(max_size=5),
        lambda inner: (
            some.lists(inner, max_size=3)
            | some.dictionaries(
                some.sampled_from(
                    [
                        "choices",
                        "delta",
                        "message",
                        "tool_calls",
                        "function",
                        "content",
                        "usage",
                        "index",
                        "id",
                        "finish_reason",
                        "name",
                        "prompt_tokens",
                        "prompt_tokens_details",
                        "model",
                        "error",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_no_chunk_does_worse_than_to_be_called_garbled(chunk: object) -> None:
    completion = Completion("m")
    try:
        completion.add(chunk)
        completion.add({"choices": [chunk]})
        completion.add({"choices": [{"delta": chunk}]})
        completion.add({"choices": [{"delta": {"tool_calls": [chunk]}}]})
        completion.finish()
        completion.message()
    except GarbledStreamError:
        pass
