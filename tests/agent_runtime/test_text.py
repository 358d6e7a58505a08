"""Pieces without a server: redaction, streams that make no sense."""

from typing import Any

import pytest

from agent_runtime.agent.completion import MAX_CHARACTERS, Completion, GarbledStreamError
from agent_runtime.telemetry.redaction import redacted

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdefgh12345678",
        "key sk-demo-abcdefgh1234",
        "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
        "redis://user:hunter22@host:6379/0",
        "AKIAABCDEFGHIJKLMNOP",
        "password=hunter22&x=1",
    ],
)
def test_credentials_are_redacted(text: str) -> None:
    clean = redacted(text)
    assert "[redacted]" in clean
    for secret in ("abcdefgh1234", "hunter22", "c2lnbmF0dXJl", "AKIAABCDEFGHIJKLMNOP"):
        assert secret not in clean


@pytest.mark.parametrize(
    "chunk",
    [
        "text",
        {"error": {"message": "x"}},
        {"choices": ["x"]},
        {"choices": [{"delta": "x"}]},
        {"choices": [{"delta": {"content": 7}}]},
        {"choices": [{"delta": {"tool_calls": ["x"]}}]},
        {"choices": [{"delta": {"tool_calls": [{"index": 10**9, "function": {}}]}}]},
        {"choices": [{"delta": {"content": "x" * (MAX_CHARACTERS + 1)}}]},
    ],
)
def test_a_chunk_that_makes_no_sense_is_refused(chunk: Any) -> None:
    with pytest.raises(GarbledStreamError):
        Completion("m").add(chunk)


def test_a_tool_call_in_pieces_is_put_together() -> None:
    completion = Completion("m")
    for delta in (
        {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "a", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"x"'}}]},
        {"tool_calls": [{"index": 1, "id": "c2", "function": {"name": "b", "arguments": "{}"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]},
    ):
        completion.add({"choices": [{"delta": delta}]})
    calls = completion.message()["tool_calls"]
    assert [(call["id"], call["function"]["arguments"]) for call in calls] == [
        ("c1", '{"x": 1}'),
        ("c2", "{}"),
    ]
