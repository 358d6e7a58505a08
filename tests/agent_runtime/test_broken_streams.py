"""A model that breaks off or talks nonsense: what each protocol's client hears of it."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.agent_runtime.raw_model import CUT, Raw, event, raw_model, said
from tests.harness.agent import RunningAgent, serving_agent

pytestmark = pytest.mark.services

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: helper}
spec: {model: {name: scripted}}
"""
CALLER = {"x-tenant-id": "acme"}
BROKEN_OFF = Raw([event({"content": "Hel"}), CUT])
NONSENSE = Raw([b"data: {not json\n\n"])


def events(agent: RunningAgent, path: str, body: Any, **headers: str) -> list[dict[str, Any]]:
    """The data of all events of a stream, which must end."""
    answer = httpx.post(f"{agent.url}{path}", json=body, headers=CALLER | headers, timeout=60)
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
    lines = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def chat(agent: RunningAgent) -> tuple[str, bool]:
    """The words that were heard, and whether the stream told of a failure."""
    body = {
        "model": "helper",
        "stream": True,
        "messages": [{"role": "user", "content": "hi"}],
    }
    told = events(agent, "/v1/chat/completions", body)
    texts = [
        choice["delta"].get("content") or "" for each in told for choice in each.get("choices", ())
    ]
    return "".join(texts), "error" in told[-1]


def responses(agent: RunningAgent) -> tuple[str, bool]:
    last = events(agent, "/v1/responses", {"input": "hi", "stream": True})[-1]
    texts = [
        part["text"] for item in last["response"]["output"] for part in item.get("content", ())
    ]
    return "".join(texts), last["type"] == "response.failed"


def a2a(agent: RunningAgent) -> tuple[str, bool]:
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]}
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "SendStreamingMessage",
        "params": {"message": message},
    }
    told = [each["result"] for each in events(agent, "/", body, **{"A2A-Version": "1.0"})]
    text = ""
    for update in (each["artifactUpdate"] for each in told if "artifactUpdate" in each):
        piece = update["artifact"]["parts"][0]["text"]
        text = text + piece if update.get("append") else piece
    state = told[-1]["statusUpdate"]["status"]["state"]
    return text, state == "TASK_STATE_FAILED"


SURFACES = [chat, responses, a2a]
Heard = Callable[[RunningAgent], tuple[str, bool]]


@pytest.mark.parametrize("heard", SURFACES)
def test_a_step_that_begins_again_is_heard_once(heard: Heard) -> None:
    with (
        raw_model(BROKEN_OFF, said("Hel", "lo ", "to you")) as model,
        serving_agent(AGENT, model_base_url=model.base_url) as agent,
    ):
        assert heard(agent) == ("Hello to you", False)
    assert len(model.asked) == 2


@pytest.mark.parametrize(
    ("heard", "answer"),
    [
        *((surface, BROKEN_OFF) for surface in SURFACES),
        (responses, NONSENSE),
        (a2a, NONSENSE),
    ],
)
def test_a_model_that_never_recovers_is_an_error_and_not_silence(heard: Heard, answer: Raw) -> None:
    with (
        raw_model(answer) as model,
        serving_agent(AGENT, model_base_url=model.base_url) as agent,
    ):
        text, failed = heard(agent)
    assert failed
    assert text in ("", "Hel")


def test_an_error_before_the_first_word_is_the_answers_status() -> None:
    body = {
        "model": "helper",
        "stream": True,
        "messages": [{"role": "user", "content": "hi"}],
    }
    with (
        raw_model(NONSENSE) as model,
        serving_agent(AGENT, model_base_url=model.base_url) as agent,
    ):
        url = f"{agent.base_url}/chat/completions"
        answer = httpx.post(url, json=body, headers=CALLER, timeout=60)
    assert answer.status_code >= 500
    assert answer.json()["error"]["message"]
