"""The real model over HTTP: structure always, the sample conversation in the slow tier."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.harness.workload import Workload, workload

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "search-knowledge-base",
            "description": "searches the support documents",
            "parameters": {
                "type": "object",
                "properties": {"query": {"type": "string"}},
                "required": ["query"],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "create-ticket",
            "description": "opens a support ticket",
            "parameters": {
                "type": "object",
                "properties": {
                    "subject": {"type": "string"},
                    "priority": {"type": "string", "enum": ["low", "high"]},
                },
                "required": ["subject"],
            },
        },
    },
]
DOCUMENT = Path("agents/samples/knowledge/warranty.md").read_text().split("---\n", 2)[2]


@pytest.fixture(scope="module")
def server() -> Iterator[Workload]:
    with workload("llama_server", "--served-name", "gemma-3-270m") as running:
        yield running


@pytest.fixture
def client(server: Workload) -> Iterator[openai.OpenAI]:
    url = f"{server.url}/v1"
    with openai.OpenAI(base_url=url, api_key="none", timeout=600, max_retries=0) as made:
        yield made


def test_a_stream_of_real_tokens_tells_its_usage(client: openai.OpenAI, server: Workload) -> None:
    with client.chat.completions.create(
        model="gemma-3-270m",
        messages=[{"role": "user", "content": "What is the capital of Norway?"}],
        stream=True,
        stream_options={"include_usage": True},
        max_tokens=12,
        temperature=0,
    ) as stream:
        chunks = list(stream)
    deltas = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert len([delta for delta in deltas if delta]) > 2
    assert chunks[-2].choices[0].finish_reason in ("stop", "length")
    assert chunks[-1].usage
    assert 0 < chunks[-1].usage.completion_tokens <= 12
    metrics = httpx.get(f"{server.url}/metrics").text
    assert 'model_server_tokens_total{direction="completion",model="gemma-3-270m"}' in metrics
    assert "llamacpp:tokens_predicted_total" in metrics


def test_a_required_tool_is_called_with_arguments_of_its_schema(client: openai.OpenAI) -> None:
    choice = client.chat.completions.create(
        model="gemma-3-270m",
        messages=[{"role": "user", "content": "qwertz \" \\ { ' lorem"}],
        tools=TOOLS[1:],
        tool_choice="required",
    ).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls
    call = choice.message.tool_calls[0]
    assert call.type == "function"
    assert list(json.loads(call.function.arguments)) == ["subject"]


def test_an_answer_from_documents_cites_a_title_it_was_given(client: openai.OpenAI) -> None:
    question = {"role": "user", "content": "How long is the warranty?"}
    call = {"id": "c1", "type": "function", "function": {"name": "search-knowledge-base"}}
    call["function"] = {"name": "search-knowledge-base", "arguments": "{}"}
    hit = {"source": "warranty.md", "title": "Warranty", "content": DOCUMENT, "score": 0.6}
    content = json.dumps({"tool": "search-knowledge-base", "result": {"results": [hit]}})
    messages: list[Any] = [
        question,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": content},
    ]
    choice = client.chat.completions.create(
        model="gemma-3-270m", messages=messages, tools=TOOLS, temperature=0
    ).choices[0]
    assert not choice.message.tool_calls
    assert choice.message.content
    assert choice.finish_reason == "length" or choice.message.content.endswith("(Warranty)")


def test_a_client_that_leaves_frees_the_model(client: openai.OpenAI, server: Workload) -> None:
    stream = client.chat.completions.create(
        model="gemma-3-270m", messages=[{"role": "user", "content": "Hello"}], stream=True
    )
    next(iter(stream))
    stream.close()
    answer = client.chat.completions.create(
        model="gemma-3-270m", messages=[{"role": "user", "content": "Hello"}], max_tokens=2
    )
    assert answer.usage
    assert answer.usage.completion_tokens <= 2
    assert server.process.poll() is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("message", "tool"),
    [
        ("How do I restart the Nordlys Home?", "search-knowledge-base"),
        ("Wie lange gilt die Garantie?", "search-knowledge-base"),
        ("Please open a ticket: my battery shows a blinking red light.", "create-ticket"),
        ("Hello!", None),
    ],
)
def test_the_model_picks_the_tool_that_a_person_would(
    client: openai.OpenAI, message: str, tool: str | None
) -> None:
    choice = client.chat.completions.create(
        model="gemma-3-270m",
        messages=[{"role": "user", "content": message}],
        tools=TOOLS,
        temperature=0,
    ).choices[0]
    called = choice.message.tool_calls or []
    names = [call.function.name for call in called if call.type == "function"]
    assert names == ([tool] if tool else [])
