"""What model servers really do: garbage, cuts, silence, and answers that begin again."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agent_runtime.agent import retry
from agent_runtime.agent.model_client import Ask, ModelClient
from agent_runtime.errors import RequestError
from agent_runtime.settings import Settings
from agent_runtime.telemetry.metrics import Metrics
from tests.agent_runtime.raw_model import CUT, DONE, HANG, Raw, RawModel, event, raw_model, said
from tests.agent_runtime.test_call_assembly import call

ASK = Ask(("first", "second"), [{"role": "user", "content": "hi"}])
ALONE = Ask(("only",), ASK.messages)
FINE = said("one ", "two")

pytestmark = pytest.mark.services


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


GARBAGE = {
    "no JSON": [b"data: {not json}\n\n"],
    "no object": [b"data: [1]\n\n"],
    "an error inside": [event({"content": "x"}), b'data: {"error": {"message": "boom"}}\n\n'],
    "a call without a name": [event({"tool_calls": [call(0, None, "{}")]}, "tool_calls"), DONE],
    "an endless line": [b"data: " + b"x" * 600_000, b"x" * 600_000],
    "bytes": [b"data: \xff\xfe\x00\n\n"],
    "half a character": [event({"content": "\ud83d"}), event({}, "stop"), DONE],
    "deep nesting": [b"data: " + b"[" * 100_000 + b"\n\n"],
    "nothing": [],
    "a cut": [event({"content": "one"}), CUT],
    "an end in the middle": [event({"content": "one"})],
}


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


async def test_the_next_model_takes_back_the_words_of_the_first() -> None:
    broken = Raw([event({"content": "wrong"}), CUT])
    log: list[object] = []
    with raw_model(broken, broken, broken, FINE) as model:
        async with client(model) as (asking, _):
            await asking.complete(ASK, log.append, log.append)
    assert log == ["wrong", 2, "wrong", 3, "wrong", 4, "one ", "two"]
    assert models(model) == ["first", "first", "first", "second"]


async def test_comments_that_keep_the_line_warm_are_no_first_word() -> None:
    warm = Raw([b": ping\n\n"] * 3 + [HANG])
    with raw_model(warm, FINE) as model:
        async with client(model, model_first_token_seconds=0.3) as (asking, _):
            assert (await asking.complete(ASK)).text == "one two"


async def test_an_answer_that_never_ends_is_ended_by_the_total() -> None:
    endless = Raw([event({"content": "word "}), HANG])
    with raw_model(endless) as model:
        async with client(model, model_total_seconds=0.2) as (asking, _):
            with pytest.raises(RequestError, match="no end within 0 s"):
                await asking.complete(ALONE)


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


@pytest.mark.parametrize("wait", ["3600", "Fri, 31 Dec 2100 23:59:59 GMT"])
async def test_a_model_that_asks_for_a_long_pause_is_passed_over_at_once(wait: str) -> None:
    busy = Raw([b"{}"], 429, {"retry-after": wait})
    with raw_model(busy, FINE) as model:
        async with client(model) as (asking, _):
            assert (await asking.complete(ASK)).text == "one two"
    assert models(model) == ["first", "second"]


async def test_a_stream_without_a_finish_reason_ends_with_done() -> None:
    with raw_model(Raw([event({"content": "one"}), DONE])) as model:
        async with client(model) as (asking, _):
            answer = await asking.complete(ALONE)
    assert (answer.text, answer.finish_reason) == ("one", "stop")


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


async def test_a_wanted_form_of_the_answer_reaches_the_model() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    with raw_model(FINE) as model:
        async with client(model) as (asking, _):
            await asking.complete(Ask(("only",), ASK.messages, response_format=form))
    assert model.asked[0]["body"]["response_format"] == form


def vectors(*found: object) -> Raw:
    data = [{"index": index, "embedding": vector} for index, vector in enumerate(found)]
    return Raw([json.dumps({"data": data}).encode()], headers={"content-type": "application/json"})


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
    seconds = 0.3 if reason == "no vectors within" else 30.0
    with raw_model(answer) as model:
        async with client(model, model_first_token_seconds=seconds) as (asking, _):
            with pytest.raises(RequestError, match=reason):
                await asking.embed("embedder", ["a", "b"])


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


async def test_a_batch_may_take_longer_than_a_first_word() -> None:
    with raw_model(Raw([HANG])) as model:
        async with client(model, model_first_token_seconds=0.2) as (asking, _):
            with pytest.raises(RequestError, match="no vectors within 1 s"):
                await asking.embed("embedder", ["a", "b"], seconds=0.6)
