"""Pieces without a server: chunking, front matter, redaction, streams that make no sense."""

from pathlib import Path
from typing import Any

import pytest

from agent_runtime.agent.completion import MAX_CHARACTERS, Completion, GarbledStreamError
from agent_runtime.knowledge.chunking import chunks
from agent_runtime.knowledge.ingest import passage_id
from agent_runtime.knowledge.text_file import UnreadableFileError, read_text_file
from agent_runtime.telemetry.redaction import redacted

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "text",
    [
        "",
        "one line",
        "# A\n\nfirst\n\n## B\n\nsecond",
        "word " * 900,
        "x" * 5000,
        "Ein Satz. Noch einer! Und mehr? " * 100,
        "行" * 3000,
    ],
)
def test_chunks_hold_every_word_and_none_is_too_long(text: str) -> None:
    made = chunks(text, limit=200)
    assert all(0 < len(each) <= 200 for each in made)
    assert "".join("".join(made).split()) == "".join(text.split())


def test_a_heading_begins_a_chunk() -> None:
    assert chunks("# A\n\nfirst\n\n## B\n\nsecond") == ["# A\n\nfirst", "## B\n\nsecond"]


def test_front_matter_names_the_document(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("---\ntitle: T\nsource: https://x/y\nlanguage: ko\n---\nbody\n")
    file = read_text_file(path)
    assert (file.title, file.source, file.language, file.text) == (
        "T",
        "https://x/y",
        "ko",
        "body\n",
    )


def test_without_front_matter_heading_and_file_name_do(tmp_path: Path) -> None:
    path = tmp_path / "refunds.md"
    path.write_text("\n# How refunds work\n\ntext")
    assert (read_text_file(path).title, read_text_file(path).source) == (
        "How refunds work",
        "refunds.md",
    )


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF")
    with pytest.raises(UnreadableFileError, match=r"a\.pdf: only \.md, \.txt"):
        read_text_file(path)


def test_a_passages_id_differs_by_tenant_document_and_content() -> None:
    base = passage_id("a", "b", "c")
    others = {passage_id("x", "b", "c"), passage_id("a", "x", "c"), passage_id("a", "b", "x")}
    assert len({base, *others, passage_id("ab", "", "c")}) == 5
    assert len(base) == 64


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
