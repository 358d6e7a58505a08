"""OpenAI's responses, asked by OpenAI's own client, unmodified."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest

from tests.harness.agent import RunningAgent, serving_agent
from tests.harness.scripted_model import RunningModel, scripted_model
from tests.harness.workload import Workload, eventually

pytestmark = pytest.mark.services

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: helper}
spec:
  model: {name: scripted}
  memory: {type: redis, config: {host: 127.0.0.1, port: %d}}
  tools:
    - {name: calculate, type: code}
    - {name: ask-boss, type: human, config: {prompt: "Is this fine?"}}
"""

RULES = [
    {
        "name": "calculates",
        "when": {"user": r"^calculate (.+)", "after": "none"},
        "reply": {"toolCalls": [{"name": "calculate", "arguments": {"code": "${user.1}"}}]},
    },
    {
        "name": "reports",
        "when": {"after": "calculate"},
        "reply": {"text": "It is ${tool.result.value|not known}.", "chunkDelaySeconds": 0.05},
    },
    {
        "name": "asks",
        "when": {"user": "boss", "after": "none"},
        "reply": {"toolCalls": [{"name": "ask-boss", "arguments": {"question": "Really?"}}]},
    },
    {
        "name": "tells",
        "when": {"after": "ask-boss"},
        "reply": {"text": "${tool.result.answer|not allowed}"},
    },
    {"name": "fails", "when": {"user": "fail"}, "reply": {"error": {"status": 400}}},
    {
        "name": "slow",
        "when": {"user": "slowly"},
        "reply": {"text": "One two three four five six", "chunkDelaySeconds": 0.15},
    },
    {
        "name": "stuck",
        "when": {"user": "stuck"},
        "reply": {"text": "on and on " * 50, "chunkDelaySeconds": 1},
    },
    {"name": "structured", "when": {"user": "structured"}, "reply": {"text": '{"sum": 3}'}},
    {"name": "greets", "reply": {"text": "Hello"}},
]


@pytest.fixture(scope="module")
def model() -> Iterator[RunningModel]:
    with scripted_model(RULES) as running:
        yield running


@pytest.fixture(scope="module")
def agent(model: RunningModel, valkey: Workload, password_file: Path) -> Iterator[RunningAgent]:
    with serving_agent(
        AGENT % valkey.port, model_base_url=model.base_url, redis_password_file=password_file
    ) as running:
        yield running


@pytest.fixture
def client(agent: RunningAgent) -> Iterator[openai.OpenAI]:
    headers = {"x-tenant-id": "acme", "x-user-id": "kim"}
    with openai.OpenAI(
        base_url=agent.base_url, api_key="unused", default_headers=headers, max_retries=0
    ) as made:
        yield made


def test_a_response_is_whole_and_can_be_read_again(client: openai.OpenAI) -> None:
    made = client.responses.create(model="helper", input="calculate 6*7", metadata={"a": "b"})
    assert made.output_text == "It is 42."
    assert [item.type for item in made.output] == ["mcp_call", "message"]
    assert (made.status, made.metadata) == ("completed", {"a": "b"})
    assert made.usage is not None
    assert made.usage.total_tokens > 0
    again = client.responses.retrieve(made.id)
    assert again.output == made.output
    assert (again.status, again.usage) == (made.status, made.usage)


def test_a_stream_has_the_clients_events_in_order(client: openai.OpenAI) -> None:
    with client.responses.stream(model="helper", input="calculate 6*7") as stream:
        events = list(stream)
        final = stream.get_final_response()
    kinds = [event.type for event in events]
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert "response.mcp_call.completed" in kinds
    words = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(words) == "It is 42."
    assert len(words) > 1
    assert final.output_text == "It is 42."


def test_a_background_response_is_followed_from_where_the_reader_left(
    client: openai.OpenAI,
) -> None:
    stream = client.responses.create(model="helper", input="slowly", background=True, stream=True)
    seen = []
    for event in stream:
        seen.append(event)
        if event.type == "response.output_text.delta":
            break
    stream.close()
    response_id = seen[0].response.id  # type: ignore[union-attr] # created comes first
    last = seen[-1].sequence_number
    rest = list(client.responses.retrieve(response_id, stream=True, starting_after=last))
    numbers = [event.sequence_number for event in [*seen, *rest]]
    assert numbers == list(range(len(numbers))), "no gap and nothing twice"
    words = [event.delta for event in [*seen, *rest] if event.type == "response.output_text.delta"]
    assert "".join(words) == "One two three four five six"
    assert rest[-1].type == "response.completed"


def test_a_background_response_is_polled_until_it_is_done(client: openai.OpenAI) -> None:
    made = client.responses.create(model="helper", input="slowly", background=True)
    assert made.status in ("queued", "in_progress")

    def done() -> openai.types.responses.Response | None:
        found = client.responses.retrieve(made.id)
        return found if found.status == "completed" else None

    assert eventually(done, "the response").output_text == "One two three four five six"


def test_a_response_goes_on_where_the_previous_one_ended(
    client: openai.OpenAI, model: RunningModel
) -> None:
    first = client.responses.create(model="helper", input="my name is Kim")
    second = client.responses.create(
        model="helper", input="who am I?", previous_response_id=first.id
    )
    assert second.previous_response_id == first.id
    said = [message["content"] for message in model.requests[-1]["body"]["messages"]]
    assert said[-3:] == ["my name is Kim", "Hello", "who am I?"]


def test_a_stuck_response_is_canceled_and_stays_so(client: openai.OpenAI) -> None:
    made = client.responses.create(model="helper", input="stuck", background=True)
    assert client.responses.cancel(made.id).status == "cancelled"
    assert client.responses.retrieve(made.id).status == "cancelled"
    assert client.responses.cancel(made.id).status == "cancelled", "twice is as good as once"


def test_a_persons_word_goes_on_with_what_was_asked(client: openai.OpenAI) -> None:
    asked = client.responses.create(model="helper", input="ask my boss")
    (item,) = (each for each in asked.output if each.type == "mcp_approval_request")
    assert (item.name, asked.status) == ("ask-boss", "completed")
    said = client.responses.create(
        model="helper",
        previous_response_id=asked.id,
        input=[
            {
                "type": "mcp_approval_response",
                "approval_request_id": item.id,
                "approve": True,
                "reason": "Fine by me.",
            }
        ],
    )
    assert said.output_text == "Fine by me."
    assert said.previous_response_id == asked.id
    assert client.responses.retrieve(said.id).output_text == "Fine by me."
    assert client.responses.retrieve(asked.id).output == asked.output, "each part stays itself"


def test_an_answer_has_the_form_that_was_asked_for_or_is_an_error(client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"sum": {"type": "integer"}},
        "required": ["sum"],
        "additionalProperties": False,
    }
    made = client.responses.create(
        model="helper",
        input="structured",
        text={"format": {"type": "json_schema", "name": "total", "schema": schema}},
    )
    assert made.output_text == '{"sum": 3}'
    with pytest.raises(openai.APIStatusError, match="form"):
        client.responses.create(
            model="helper",
            input="hello",
            text={"format": {"type": "json_schema", "name": "total", "schema": schema}},
        )


def test_a_failed_run_is_the_clients_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.responses.create(model="helper", input="fail")
    assert "refused the conversation" in caught.value.message
    stream = client.responses.create(model="helper", input="fail", stream=True)
    last = list(stream)[-1]
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert "refused the conversation" in last.response.error.message


@pytest.mark.parametrize("response_id", ["resp_none", "resp_none.7", "other", "resp_a.b.c"])
def test_an_unknown_response_is_not_found(client: openai.OpenAI, response_id: str) -> None:
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response_id)


def test_a_response_of_another_tenant_is_not_found(
    client: openai.OpenAI, agent: RunningAgent
) -> None:
    made = client.responses.create(model="helper", input="hi")
    url = f"{agent.base_url}/responses/{made.id}"
    for method in ("GET", "POST"):
        path = url if method == "GET" else f"{url}/cancel"
        answer = httpx.request(method, path, headers={"x-tenant-id": "rival"}, timeout=60)
        assert answer.status_code == 404
    body = {"model": "helper", "input": "hi", "previous_response_id": made.id}
    answer = httpx.post(
        f"{agent.base_url}/responses", json=body, headers={"x-tenant-id": "rival"}, timeout=60
    )
    assert answer.status_code == 404
