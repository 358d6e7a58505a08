"""What models really send: fragments, other dialects, garbage, cuts and silence."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from agent_runtime.agent import retry
from agent_runtime.agent.completion import Completion, GarbledStreamError
from agent_runtime.agent.model_client import Ask, ModelClient
from agent_runtime.errors import RequestError
from agent_runtime.settings import Settings
from agent_runtime.telemetry.metrics import Metrics
from tests.agent_runtime.raw_model import CUT, DONE, HANG, Raw, RawModel, event, raw_model, said

ASK = Ask(("first", "second"), [{"role": "user", "content": "hi"}])
ALONE = Ask(("only",), ASK.messages)
FINE = said("one ", "two")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait as they do, only less."""
    monkeypatch.setattr(retry, "BASE_SECONDS", 0.01)


@asynccontextmanager
async def client(model: RawModel, **more: Any) -> AsyncIterator[tuple[ModelClient, Metrics]]:
    metrics = Metrics("tester")
    made = ModelClient(Settings(model_base_url=model.base_url, **more), metrics)
    try:
        yield made, metrics
    finally:
        await made.close()


def models(model: RawModel) -> list[str]:
    return [each["headers"]["x-model-id"] for each in model.asked]


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


@pytest.mark.unit
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


@pytest.mark.unit
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


@pytest.mark.unit
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


GARBAGE = {
    "no JSON": [b"data: {not json}\n\n"],
    "no object": [b"data: [1]\n\n"],
    "an error inside": [event({"content": "x"}), b'data: {"error": {"message": "boom"}}\n\n'],
    "a call without a name": [event({"tool_calls": [call(0, None, "{}")]}, "tool_calls"), DONE],
    "an endless line": [b"data: " + b"x" * 600_000, b"x" * 600_000],
    "bytes": [b"data: \xff\xfe\x00\n\n"],
    "deep nesting": [b"data: " + b"[" * 100_000 + b"\n\n"],
    "nothing": [],
    "a cut": [event({"content": "one"}), CUT],
    "an end in the middle": [event({"content": "one"})],
}


@pytest.mark.services
@pytest.mark.parametrize("pieces", GARBAGE.values(), ids=GARBAGE.keys())
async def test_a_garbled_answer_is_asked_for_again(pieces: list[object]) -> None:
    with raw_model(Raw(pieces), FINE) as model:
        async with client(model) as (asking, metrics):
            answer = await asking.complete(ASK)
    assert answer.text == "one two"
    assert models(model) == ["first", "first"]
    assert (
        metrics.registry.get_sample_value(
            "agent_retries_total", {"agent": "tester", "model": "first"}
        )
        == 1
    )


@pytest.mark.services
async def test_shown_words_are_taken_back_when_the_step_begins_again() -> None:
    broken = Raw([event({"content": "wrong "}), event({"content": "words"}), CUT])
    log: list[object] = []
    with raw_model(broken, FINE) as model:
        async with client(model) as (asking, metrics):
            answer = await asking.complete(ASK, log.append, log.append)
    assert answer.text == "one two"
    assert log == ["wrong ", "words", 2, "one ", "two"]
    lost = metrics.registry.get_sample_value(
        "agent_llm_wasted_tokens_total", {"agent": "tester", "model": "first"}
    )
    assert lost == 3, "eleven characters are about three tokens"


@pytest.mark.services
async def test_the_next_model_takes_back_the_words_of_the_first() -> None:
    broken = Raw([event({"content": "wrong"}), CUT])
    log: list[object] = []
    with raw_model(broken, broken, broken, FINE) as model:
        async with client(model) as (asking, _):
            await asking.complete(ASK, log.append, log.append)
    assert log == ["wrong", 2, "wrong", 3, "wrong", 4, "one ", "two"]
    assert models(model) == ["first", "first", "first", "second"]


@pytest.mark.services
async def test_comments_that_keep_the_line_warm_are_no_first_word() -> None:
    warm = Raw([b": ping\n\n"] * 3 + [HANG])
    with raw_model(warm, FINE) as model:
        async with client(model, model_first_token_seconds=0.3) as (asking, _):
            assert (await asking.complete(ASK)).text == "one two"


@pytest.mark.services
async def test_an_answer_that_never_ends_is_ended_by_the_total() -> None:
    endless = Raw([event({"content": "word "}), HANG])
    with raw_model(endless) as model:
        async with client(model, model_total_seconds=0.2) as (asking, _):
            with pytest.raises(RequestError, match="no end within 0 s"):
                await asking.complete(ALONE)


@pytest.mark.services
@pytest.mark.parametrize(
    "body",
    [
        '{"error": {"code": "context_length_exceeded", "message": "too long"}}',
        '{"message": "This model\'s maximum context length is 8192 tokens."}',
        '{"error": "Input is too long for requested model."}',
    ],
)
async def test_a_conversation_that_is_too_long_has_a_code_of_its_own(body: str) -> None:
    with raw_model(Raw([body.encode()], 400, {"content-type": "application/json"})) as model:
        async with client(model) as (asking, _):
            with pytest.raises(RequestError) as caught:
                await asking.complete(ASK)
    assert caught.value.code == "context_too_long"
    assert models(model) == ["first"]


@pytest.mark.services
@pytest.mark.parametrize("wait", ["3600", "Fri, 31 Dec 2100 23:59:59 GMT"])
async def test_a_model_that_asks_for_a_long_pause_is_passed_over_at_once(wait: str) -> None:
    busy = Raw([b"{}"], 429, {"retry-after": wait})
    with raw_model(busy, FINE) as model:
        async with client(model) as (asking, _):
            assert (await asking.complete(ASK)).text == "one two"
    assert models(model) == ["first", "second"]


@pytest.mark.services
async def test_a_stream_without_a_finish_reason_ends_with_done() -> None:
    with raw_model(Raw([event({"content": "one"}), DONE])) as model:
        async with client(model) as (asking, _):
            answer = await asking.complete(ALONE)
    assert (answer.text, answer.finish_reason) == ("one", "stop")


@pytest.mark.services
async def test_usage_and_what_was_cached_are_read() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 64},
    }
    last = b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"
    with raw_model(Raw([event({"content": "one"}, "stop"), last, DONE])) as model:
        async with client(model) as (asking, _):
            answer = await asking.complete(ALONE)
    assert (answer.prompt_tokens, answer.completion_tokens, answer.cached_tokens) == (100, 7, 64)


@pytest.mark.services
async def test_a_wanted_form_of_the_answer_reaches_the_model() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    with raw_model(FINE) as model:
        async with client(model) as (asking, _):
            await asking.complete(Ask(("only",), ASK.messages, response_format=form))
    assert model.asked[0]["body"]["response_format"] == form


def vectors(*found: object) -> Raw:
    data = [{"index": index, "embedding": vector} for index, vector in enumerate(found)]
    return Raw([json.dumps({"data": data}).encode()], headers={"content-type": "application/json"})


@pytest.mark.services
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (vectors([1.0]), "1 vectors for 2 texts"),
        (vectors([1.0], [1.0, 2.0]), "different lengths"),
        (vectors([1.0], ["x"]), "unreadable vectors"),
        (vectors([1.0], [float("nan")]), "not finite"),
        (Raw([b"<html>"]), "not JSON"),
        (Raw([HANG]), "no vectors within"),
    ],
)
async def test_vectors_that_cannot_be_right_are_refused(answer: Raw, reason: str) -> None:
    with raw_model(answer) as model:
        async with client(model, model_first_token_seconds=0.3) as (asking, _):
            with pytest.raises(RequestError, match=reason):
                await asking.embed("embedder", ["a", "b"])


@pytest.mark.services
async def test_an_embedder_that_keeps_failing_is_left_alone_for_a_while() -> None:
    with raw_model(Raw([b"{}"], 503)) as model:
        async with client(model) as (asking, _):
            for _ in range(3):
                with pytest.raises(RequestError):
                    await asking.embed("embedder", ["a"])
            asked = len(model.asked)
            with pytest.raises(RequestError, match="resting"):
                await asking.embed("embedder", ["a"])
    assert len(model.asked) == asked
