"""What clients get wrong is told to them as a 4xx in OpenAI's shape, never as a 5xx."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.harness.agent import RunningAgent, serving_agent
from tests.harness.scripted_model import scripted_model

pytestmark = pytest.mark.services

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: helper}
spec: {model: {name: scripted}}
"""
TENANT = {"x-tenant-id": "acme"}
HELLO: dict[str, Any] = {"model": "helper", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(scope="module")
def agent() -> Iterator[RunningAgent]:
    rules = [{"name": "any", "reply": {"text": "yes"}}]
    with (
        scripted_model(rules) as model,
        serving_agent(AGENT, model_base_url=model.base_url, max_body_bytes=4096) as running,
    ):
        yield running


def post(agent: RunningAgent, body: bytes | str, **headers: str) -> httpx.Response:
    return httpx.post(
        f"{agent.base_url}/chat/completions", content=body, headers=TENANT | headers, timeout=60
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"[1]", "must be a JSON object"),
        (b"[" * 3000, "nested too deeply"),
        (b"{}", "model"),
        (b'{"model": "helper"}', "messages"),
        (b'{"model": "helper", "messages": []}', "messages"),
        (b'{"model": "helper", "messages": "hi"}', "messages"),
        (b'{"model": "helper", "messages": [{"role": "tool", "content": "x"}]}', "role"),
        (b'{"model": "helper", "messages": [{"role": "assistant", "content": "x"}]}', "user's"),
        (json.dumps(HELLO | {"temperature": 9}).encode(), "temperature"),
        (json.dumps(HELLO | {"n": 2}).encode(), "n:"),
        (json.dumps(HELLO | {"tools": [{"type": "function"}]}).encode(), "tools are its own"),
        (json.dumps(HELLO | {"metadata": {"session_id": "a b"}}).encode(), "session id"),
    ],
)
def test_a_bad_request_is_explained(agent: RunningAgent, body: bytes, said: str) -> None:
    answer = post(agent, body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert said in error["message"]
    assert error["type"] == "invalid_request_error"


def test_a_request_for_another_agent_is_not_found(agent: RunningAgent) -> None:
    answer = post(agent, json.dumps(HELLO | {"model": "gpt-4"}))
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"
    assert "'helper'" in answer.json()["error"]["message"]


def test_a_body_over_the_limit_is_refused_whether_its_length_is_declared_or_not(
    agent: RunningAgent,
) -> None:
    long = HELLO | {"messages": [{"role": "user", "content": "x" * 5000}]}
    text = json.dumps(long).encode()
    assert post(agent, text).status_code == 413
    chunked = httpx.post(
        f"{agent.base_url}/chat/completions",
        content=iter([text[:2500], text[2500:]]),
        headers=TENANT,
        timeout=60,
    )
    assert chunked.status_code == 413
    assert chunked.json()["error"]["code"] == "body_too_large"


def test_a_request_that_did_not_pass_the_gateway_is_unauthorized(agent: RunningAgent) -> None:
    answer = httpx.post(f"{agent.base_url}/chat/completions", json=HELLO, timeout=60)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "authentication_error"


def test_unknown_paths_and_methods_answer_in_the_same_shape(agent: RunningAgent) -> None:
    missing = httpx.get(f"{agent.url}/v2/nothing")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    method = httpx.get(f"{agent.base_url}/chat/completions", headers=TENANT)
    assert (method.status_code, method.json()["error"]["code"]) == (405, "bad_method")


def test_none_of_it_counts_as_an_error_of_the_agent(agent: RunningAgent) -> None:
    post(agent, b"{")
    labels = {"agent": "helper", "tenant": "acme", "model": "scripted"}
    assert agent.metric("agent_request_errors_total", **labels) == 0


def test_the_openapi_document_resolves_all_its_references(agent: RunningAgent) -> None:
    document = httpx.get(f"{agent.url}/openapi.json").json()
    assert "/v1/chat/completions" in document["paths"]
    for reference in _references(document):
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        assert target


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)
