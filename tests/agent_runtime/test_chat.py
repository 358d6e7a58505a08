"""The OpenAI surface, asked by OpenAI's own client, with a scripted model over real HTTP."""

from collections.abc import Iterator

import httpx
import openai
import pytest

from tests.harness.agent import RunningAgent, serving_agent
from tests.harness.scripted_model import RunningModel, scripted_model

pytestmark = pytest.mark.services

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: helper}
spec:
  model: {name: scripted, temperature: 0.2, maxTokens: 300}
  systemPrompt: You help.
  tools: [{name: calculate, type: code}]
"""

RULES = [
    {
        "name": "calculates",
        "when": {"user": r"calculate (.+)", "offers": "calculate", "after": "none"},
        "reply": {"toolCalls": [{"name": "calculate", "arguments": {"code": "${user.1}"}}]},
    },
    {
        "name": "reports",
        "when": {"user": "calculate", "after": "calculate"},
        "reply": {"text": "It is ${tool.result.value|not known}."},
    },
    {
        "name": "slow",
        "when": {"user": "slowly"},
        "reply": {"text": "One two three", "chunkDelaySeconds": 0.1},
    },
    {"name": "greets", "when": {"user": "hello"}, "reply": {"text": "Hello, how can I help?"}},
]


@pytest.fixture(scope="module")
def model() -> Iterator[RunningModel]:
    with scripted_model(RULES) as running:
        yield running


@pytest.fixture(scope="module")
def agent(model: RunningModel) -> Iterator[RunningAgent]:
    with serving_agent(AGENT, model_base_url=model.base_url) as running:
        yield running


@pytest.fixture
def client(agent: RunningAgent) -> Iterator[openai.OpenAI]:
    headers = {"x-tenant-id": "acme"}
    with openai.OpenAI(
        base_url=agent.base_url, api_key="unused", default_headers=headers, max_retries=0
    ) as made:
        yield made


def ask(client: openai.OpenAI, text: str) -> openai.types.chat.ChatCompletion:
    return client.chat.completions.create(
        model="helper", messages=[{"role": "user", "content": text}]
    )


def test_an_answer_has_the_shape_of_openai_and_says_what_it_cost(client: openai.OpenAI) -> None:
    answer = ask(client, "hello")
    assert answer.choices[0].message.content == "Hello, how can I help?"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "helper"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.prompt_tokens > 0


def test_a_tool_is_called_and_its_call_is_reported(client: openai.OpenAI) -> None:
    answer = ask(client, "calculate 6*7")
    assert answer.choices[0].message.content == "It is 42."
    (call,) = answer.model_extra["agentic"]["tool_calls"]  # type: ignore[index] # our field
    assert (call["name"], call["status"], call["arguments"]) == ("calculate", "ok", {"code": "6*7"})


def test_a_stream_brings_the_same_words_in_pieces_and_ends_with_the_extension(
    client: openai.OpenAI,
) -> None:
    stream = client.chat.completions.create(
        model="helper",
        messages=[{"role": "user", "content": "calculate 6*7"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert "".join(text for text in texts if text) == "It is 42."
    extended = [chunk for chunk in chunks if "agentic" in (chunk.model_extra or {})]
    details = [chunk.model_extra["agentic"] for chunk in extended if chunk.model_extra]
    assert [each.get("event") for each in details] == ["tool.started", "tool.finished", None]
    assert (details[0]["name"], details[1]["status"]) == ("calculate", "ok")
    assert extended[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 0


def test_words_are_sent_when_they_come(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="helper", messages=[{"role": "user", "content": "slowly"}], stream=True
    )
    texts = [chunk.choices[0].delta.content for chunk in stream]
    assert "".join(text for text in texts if text) == "One two three"
    assert sum(1 for text in texts if text) > 1


def test_the_same_key_is_the_same_answer_and_another_request_under_it_is_refused(
    client: openai.OpenAI, model: RunningModel
) -> None:
    key = {"idempotency-key": "one-and-only"}
    asked = {"model": "helper", "messages": [{"role": "user", "content": "hello"}]}
    first = client.chat.completions.create(**asked, extra_headers=key)  # type: ignore[call-overload] # a dict of arguments
    before = model.played("greets")
    again = client.chat.completions.create(**asked, extra_headers=key)  # type: ignore[call-overload] # the same
    assert (again.id, again.choices[0].message.content) == (
        first.id,
        first.choices[0].message.content,
    )
    assert model.played("greets") == before, "nothing runs twice"
    with pytest.raises(openai.ConflictError) as refused:
        client.chat.completions.create(
            model="helper",
            messages=[{"role": "user", "content": "calculate 1"}],
            extra_headers=key,
        )
    assert refused.value.code == "idempotency_conflict"


def test_the_model_gets_instructions_tools_and_the_documents_settings(
    client: openai.OpenAI, model: RunningModel
) -> None:
    ask(client, "hello")
    request = model.requests[-1]
    body = request["body"]
    assert body["messages"][0]["role"] == "system"
    assert body["messages"][0]["content"].startswith("You help.")
    assert [tool["function"]["name"] for tool in body["tools"]] == ["calculate"]
    assert (body["temperature"], body["max_tokens"]) == (0.2, 300)
    assert request["headers"]["x-model-id"] == "scripted"


def test_a_caller_can_lower_the_token_limit_but_not_raise_it(
    client: openai.OpenAI, model: RunningModel
) -> None:
    for wanted, given in ((50, 50), (9000, 300)):
        client.chat.completions.create(
            model="helper", messages=[{"role": "user", "content": "hello"}], max_tokens=wanted
        )
        assert model.requests[-1]["body"]["max_tokens"] == given


def test_the_agent_lists_itself_as_the_only_model(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["helper"]


def test_a_callers_trace_is_continued_to_the_model(
    agent: RunningAgent, model: RunningModel
) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = httpx.post(
        f"{agent.base_url}/chat/completions",
        json={"model": "helper", "messages": [{"role": "user", "content": "hello"}]},
        headers={"x-tenant-id": "acme", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"},
        timeout=60,
    )
    assert answer.headers["x-trace-id"] == trace
    assert answer.json()["agentic"]["trace_id"] == trace
    assert model.requests[-1]["headers"]["traceparent"].split("-")[1] == trace


def test_requests_are_counted_under_the_names_of_the_alerts(
    client: openai.OpenAI, agent: RunningAgent
) -> None:
    labels = {"agent": "helper", "tenant": "acme", "model": "scripted"}
    before = agent.metric("agent_request_total", **labels)
    tokens = agent.metric("agent_llm_tokens_total", **labels, direction="input")
    ask(client, "hello")
    assert agent.metric("agent_request_total", **labels) == before + 1
    assert agent.metric("agent_llm_tokens_total", **labels, direction="input") > tokens
    assert agent.metric("agent_request_duration_seconds_bucket", **labels, le="10.0") >= 1
    assert agent.metric("agent_active_sessions", agent="helper") == 0
