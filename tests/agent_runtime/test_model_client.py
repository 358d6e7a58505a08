"""Failures of models over real HTTP: retried, fallen back from, bounded, never hung."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent_runtime.agent import retry
from agent_runtime.agent.model_client import Ask, ModelClient
from agent_runtime.errors import RequestError
from agent_runtime.settings import Settings
from agent_runtime.telemetry.metrics import Metrics
from tests.harness.scripted_model import RunningModel, scripted_model
from tests.harness.workload import free_port

pytestmark = pytest.mark.services

ASK = Ask(("first", "second"), [{"role": "user", "content": "hi"}])
FINE = {"name": "fine", "reply": {"text": "one two three"}}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait as they do, only less."""
    monkeypatch.setattr(retry, "BASE_SECONDS", 0.01)


def failing(status: int, *, times: int = 99, **more: Any) -> dict[str, Any]:
    reply = {"error": {"status": status, **more}}
    return {"name": "fails", "when": {"model": "first"}, "times": times, "reply": reply}


@asynccontextmanager
async def client(url: str, **settings: Any) -> AsyncIterator[tuple[ModelClient, Metrics]]:
    metrics = Metrics("tester")
    made = ModelClient(Settings(model_base_url=url, **settings), metrics)
    try:
        yield made, metrics
    finally:
        await made.close()


def asked(model: RunningModel) -> list[str]:
    return [request["body"]["model"] for request in model.requests]


async def test_a_passing_failure_is_tried_again_on_the_same_model() -> None:
    with scripted_model([failing(503, times=2), FINE]) as model:
        async with client(model.base_url) as (asking, metrics):
            answer = await asking.complete(ASK)
    assert answer.text == "one two three"
    assert asked(model) == ["first", "first", "first"]
    counted = {"agent": "tester", "model": "first"}
    assert metrics.registry.get_sample_value("agent_retries_total", counted) == 2


async def test_a_lasting_failure_moves_to_the_next_model() -> None:
    with scripted_model([failing(500), FINE]) as model:
        async with client(model.base_url) as (asking, metrics):
            answer = await asking.complete(ASK)
    assert answer.text == "one two three"
    assert asked(model) == ["first", "first", "first", "second"]
    assert model.requests[-1]["headers"]["x-model-id"] == "second"
    counted = {"agent": "tester", "model": "second"}
    assert metrics.registry.get_sample_value("agent_fallback_total", counted) == 1


async def test_a_model_that_keeps_failing_is_left_alone_for_a_while() -> None:
    with scripted_model([failing(500), FINE]) as model:
        async with client(model.base_url) as (asking, _):
            for _ in range(4):
                await asking.complete(ASK)
    assert asked(model).count("first") == 6, "the breaker opens with the fifth failure in a row"
    assert asked(model).count("second") == 4


async def test_a_conversation_that_the_model_refuses_is_not_repeated() -> None:
    with scripted_model([failing(400, message="context too long"), FINE]) as model:
        async with client(model.base_url) as (asking, _):
            with pytest.raises(RequestError, match="context too long") as caught:
                await asking.complete(ASK)
    assert (caught.value.status, caught.value.code) == (502, "model_refused")
    assert asked(model) == ["first"]


async def test_a_busy_model_is_told_as_busy() -> None:
    alone = Ask(("first",), ASK.messages)
    with scripted_model([failing(429), FINE]) as model:
        async with client(model.base_url) as (asking, _):
            with pytest.raises(RequestError) as caught:
                await asking.complete(alone)
    assert (caught.value.status, caught.value.code) == (503, "model_busy")
    assert caught.value.retry_after_seconds


async def test_a_stream_that_breaks_off_is_started_again_while_nobody_saw_it() -> None:
    cut = {"text": "one two three four", "cutAfterChunks": 2}
    rules: list[dict[str, Any]] = [{"name": "cut", "times": 1, "reply": cut}, FINE]
    with scripted_model(rules) as model:
        async with client(model.base_url) as (asking, _):
            answer = await asking.complete(ASK)
    assert answer.text == "one two three"


async def test_words_that_were_shown_are_not_said_twice() -> None:
    cut = {"text": "one two three four", "cutAfterChunks": 3}
    seen: list[str] = []
    with scripted_model([{"name": "cut", "times": 1, "reply": cut}, FINE]) as model:
        async with client(model.base_url) as (asking, _):
            with pytest.raises(RequestError) as caught:
                await asking.complete(ASK, seen.append)
    assert seen
    assert len(model.requests) == 1
    assert caught.value.code == "model_unavailable"


async def test_a_model_that_never_begins_is_given_up() -> None:
    slow = {"text": "late", "delaySeconds": 2}
    rules = [{"name": "slow", "when": {"model": "first"}, "reply": slow}, FINE]
    with scripted_model(rules) as model:
        async with client(model.base_url, model_first_token_seconds=0.2) as (asking, _):
            assert (await asking.complete(ASK)).text == "one two three"


async def test_a_model_that_falls_silent_in_the_middle_is_given_up() -> None:
    slow = {"text": "one two three", "chunkDelaySeconds": 2}
    rules = [{"name": "slow", "when": {"model": "first"}, "reply": slow}, FINE]
    with scripted_model(rules) as model:
        async with client(model.base_url, model_first_token_seconds=5, model_idle_seconds=0.2) as (
            asking,
            _,
        ):
            assert (await asking.complete(ASK)).text == "one two three"


async def test_nobody_at_the_address_is_a_clear_error() -> None:
    async with client(f"http://127.0.0.1:{free_port()}/v1") as (asking, _):
        with pytest.raises(RequestError, match=r"'first' does not answer.*ConnectError"):
            await asking.complete(ASK)


async def test_a_rotated_key_is_used_with_the_next_call(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sk-first\n")
    with scripted_model([FINE]) as model:
        async with client(model.base_url, model_api_key_file=key) as (asking, _):
            await asking.complete(ASK)
            key.write_text("sk-second-key\n")
            await asking.complete(ASK)
    sent = [request["headers"]["authorization"] for request in model.requests]
    assert sent == ["Bearer sk-first", "Bearer sk-second-key"]


async def test_embeddings_come_in_the_order_of_the_texts() -> None:
    with scripted_model([FINE]) as model:
        async with client(model.base_url) as (asking, _):
            both = await asking.embed("all-minilm-l6-v2", ["a cat", "a dog"])
            alone = await asking.embed("all-minilm-l6-v2", ["a dog"])
    assert both[1] == pytest.approx(alone[0])
    assert both[0] != pytest.approx(both[1])
