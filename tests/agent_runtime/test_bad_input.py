"""What clients get wrong is told to them as a 4xx in their protocol, never as a 5xx."""

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
PICTURE = [
    {
        "role": "user",
        "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}],
    }
]


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
        (json.dumps({**HELLO, "messages": PICTURE}).encode(), "content"),
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


def test_unknown_paths_and_methods_of_openai_answer_in_its_shape(agent: RunningAgent) -> None:
    missing = httpx.get(f"{agent.base_url}/embeddings")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    method = httpx.get(f"{agent.base_url}/chat/completions", headers=TENANT)
    assert (method.status_code, method.json()["error"]["code"]) == (405, "bad_method")


def test_paths_of_nobody_and_of_ours_answer_with_a_problem(agent: RunningAgent) -> None:
    tried = [
        httpx.get(f"{agent.url}/v2/nothing"),
        httpx.get(f"{agent.base_url}/tasks/none", headers=TENANT),
        httpx.get(f"{agent.base_url}/tasks?limit=0", headers=TENANT),
        httpx.get(f"{agent.base_url}/tasks"),
    ]
    assert [answer.status_code for answer in tried] == [404, 404, 400, 401]
    for answer in tried:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
        assert answer.json()["detail"]
    assert tried[2].json()["param"] == "limit"
    assert tried[3].headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("tasks", {}, "either `input` or `messages`"),
        ("tasks", {"input": "hi", "messages": []}, "messages"),
        ("tasks", {"input": "hi", "unknown": 1}, "unknown"),
        ("tasks", {"input": "hi", "session_id": "a b"}, "session_id"),
        ("tasks", {"input": "hi", "limits": {"seconds": -1}}, "limits.seconds"),
        ("tasks", {"input": "hi", "metadata": {"a": 1}}, "metadata.a"),
        ("tasks/none/input", {"answers": {}}, "answers"),
        ("approvals/none", {"decision": "perhaps"}, "'approve' or 'reject'"),
    ],
)
def test_a_bad_request_of_ours_is_a_problem_with_its_place(
    agent: RunningAgent, path: str, body: dict[str, Any], said: str
) -> None:
    answer = httpx.post(f"{agent.base_url}/{path}", json=body, headers=TENANT, timeout=60)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "helper", "messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"model": "helper", "messages": [{"role": "user", "content": "hi"}], "temperature": NaN}',
        b"\x00\x01\x02",
        b'"a string"',
    ],
    ids=["half a surrogate", "not a number", "binary", "a string"],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/tasks", "/"])
def test_what_no_store_could_keep_is_refused_at_the_door(
    agent: RunningAgent, path: str, body: bytes
) -> None:
    answer = httpx.post(f"{agent.url}{path}", content=body, headers=TENANT, timeout=60)
    told = answer.json()
    if path == "/":
        assert told["error"]["code"] in (-32700, -32600)
    else:
        assert answer.status_code == 400
        assert "JSON" in (told.get("detail") or told["error"]["message"])


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/tasks"])
def test_a_body_over_the_limit_is_refused_everywhere(agent: RunningAgent, path: str) -> None:
    body = json.dumps({"input": "x" * 5000})
    answer = httpx.post(f"{agent.url}{path}", content=body, headers=TENANT, timeout=60)
    assert answer.status_code == 413


def test_a_body_over_the_limit_is_an_error_of_json_rpc(agent: RunningAgent) -> None:
    answer = httpx.post(agent.url, content=b" " * 5000, headers=TENANT, timeout=60)
    assert answer.json()["error"]["data"]["code"] == "body_too_large"


@pytest.mark.parametrize("header", ["idempotency-key", "x-session-id"])
def test_a_header_of_a_wrong_form_is_told_by_its_name(agent: RunningAgent, header: str) -> None:
    answer = post(agent, json.dumps(HELLO), **{header: "two words"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, header)


def test_a_circle_of_agents_is_broken_where_it_closes(agent: RunningAgent) -> None:
    namespace = agent.runtime.document.metadata.namespace
    above = {"x-agent-chain": f"{namespace}/other,{namespace}/helper"}
    answer = post(agent, json.dumps(HELLO), **above)
    assert (answer.status_code, answer.json()["error"]["code"]) == (508, "agent_cycle")


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
