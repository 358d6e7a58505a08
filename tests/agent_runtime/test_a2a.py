"""The A2A surface, asked by the A2A project's own client, over both wire versions."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from a2a.client import ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.client.client import Client
from a2a.helpers.proto_helpers import get_message_text, new_text_message
from a2a.types.a2a_pb2 import (
    GetTaskRequest,
    Role,
    SendMessageRequest,
    SubscribeToTaskRequest,
    TaskState,
)
from a2a.utils.errors import TaskNotFoundError
from google.protobuf.json_format import MessageToDict

from tests.harness.agent import RunningAgent, serving_agent
from tests.harness.scripted_model import scripted_model

pytestmark = [
    pytest.mark.services,
    # a2a-sdk and jsonrpc still use what their own dependencies deprecate
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: helper}
spec:
  description: Helps.
  model: {name: scripted}
  tools:
    - {name: calculate, type: code, description: Calculates.}
    - {name: ask-person, type: human, description: Asks., config: {kind: input, prompt: Which}}
"""
RULES = [
    {
        "name": "asks",
        "when": {"user": "ask me"},
        "reply": {"toolCalls": [{"name": "ask-person", "arguments": {"question": "Which?"}}]},
    },
    {"name": "answered", "when": {"after": "any"}, "reply": {"text": "Thank you"}},
    {"name": "fails", "when": {"user": "fail"}, "reply": {"error": {"status": 400}}},
    {"name": "greets", "reply": {"text": "Hello to you", "chunkDelaySeconds": 0.05}},
]


@pytest.fixture(scope="module")
def agent() -> Iterator[RunningAgent]:
    with (
        scripted_model(RULES) as model,
        serving_agent(AGENT, model_base_url=model.base_url) as running,
    ):
        yield running


@asynccontextmanager
async def connected(
    agent: RunningAgent, *, wire: str = "1.0", tenant: str = "acme", streaming: bool = True
) -> AsyncIterator[Client]:
    """The project's client, on the interface of the card that speaks `wire`."""
    async with httpx.AsyncClient(headers={"x-tenant-id": tenant}, timeout=60) as http:
        card = await A2ACardResolver(http, agent.url).get_agent_card()
        interfaces = [each for each in card.supported_interfaces if each.protocol_version == wire]
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(interfaces)
        factory = ClientFactory(ClientConfig(streaming=streaming, httpx_client=http))
        yield factory.create(card)


async def say(client: Client, text: str) -> list[Any]:
    request = SendMessageRequest(message=new_text_message(text, role=Role.ROLE_USER))
    return [event async for event in client.send_message(request)]


@pytest.mark.parametrize("wire", ["1.0", "0.3"])
async def test_a_message_is_answered_by_a_completed_task(agent: RunningAgent, wire: str) -> None:
    async with connected(agent, wire=wire, streaming=False) as client:
        (event,) = await say(client, "hello")
    assert event.task.status.state == TaskState.TASK_STATE_COMPLETED
    assert get_message_text(event.task.status.message) == "Hello to you"
    assert event.task.status.message.metadata["agentic"]["traceId"]


@pytest.mark.parametrize("wire", ["1.0", "0.3"])
async def test_a_stream_brings_the_text_in_pieces_and_then_the_end(
    agent: RunningAgent, wire: str
) -> None:
    async with connected(agent, wire=wire) as client:
        events = await say(client, "hello")
    pieces = [
        part.text
        for event in events
        if event.HasField("artifact_update")
        for part in event.artifact_update.artifact.parts
    ]
    assert "".join(pieces) == "Hello to you"
    assert len(pieces) > 1
    assert events[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED


async def test_a_failed_run_is_a_failed_task_with_the_reason(agent: RunningAgent) -> None:
    async with connected(agent, streaming=False) as client:
        (event,) = await say(client, "fail")
    assert event.task.status.state == TaskState.TASK_STATE_FAILED
    assert "refused the conversation" in get_message_text(event.task.status.message)


async def test_a_task_is_found_again_by_its_tenant_only(agent: RunningAgent) -> None:
    async with connected(agent, streaming=False) as client:
        (event,) = await say(client, "hello")
        again = await client.get_task(GetTaskRequest(id=event.task.id))
    assert again.id == event.task.id
    async with connected(agent, tenant="rival") as client:
        with pytest.raises(TaskNotFoundError):
            await client.get_task(GetTaskRequest(id=event.task.id))


async def test_the_card_names_the_agents_tools_as_skills(agent: RunningAgent) -> None:
    async with httpx.AsyncClient() as http:
        card = await A2ACardResolver(http, agent.url).get_agent_card()
    assert (card.name, card.description) == ("helper", "Helps.")
    assert [(skill.id, skill.description) for skill in card.skills] == [
        ("calculate", "Calculates."),
        ("ask-person", "Asks."),
    ]
    assert card.capabilities.streaming


def test_a_caller_without_a_tenant_is_unauthorized(agent: RunningAgent) -> None:
    assert httpx.post(agent.url, json={}).status_code == 401


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "nothing"}', -32601),
        (
            b'{"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {"message": {'
            b'"messageId": "m", "role": "user", "kind": "message", "parts": [{"kind": "file",'
            b' "file": {"bytes": "iVBORw0KGgo=", "mimeType": "image/png"}}]}}}',
            -32005,
        ),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"x": 1}}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {"x": 1}}', -32602),
        (
            b'{"jsonrpc": "2.0", "id": 1, "method": "GetTask",'
            b' "params": {"id": "x", "historyLength": -1}}',
            -32602,
        ),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "message/send", "params": {"x": 1}}', -32600),
    ],
)
def test_bad_calls_get_json_rpc_errors(agent: RunningAgent, body: bytes, code: int) -> None:
    wire = "0.3" if b"message/send" in body else "1.0"
    headers = {"x-tenant-id": "acme", "A2A-Version": wire, "content-type": "application/json"}
    answer = httpx.post(agent.url, content=body, headers=headers, timeout=60)
    assert answer.status_code == 200
    assert answer.json()["error"]["code"] == code


def test_a_body_that_does_not_say_it_is_json_is_refused(agent: RunningAgent) -> None:
    headers = {"x-tenant-id": "acme", "content-type": "text/plain"}
    answer = httpx.post(agent.url, content=b"{}", headers=headers, timeout=60)
    assert answer.json()["error"]["code"] == -32005


async def test_a_subscription_lasts_over_a_pause_and_tells_every_listener_the_same(
    agent: RunningAgent,
) -> None:
    async with connected(agent) as client:
        (*_, paused) = await say(client, "ask me")
        task = paused.status_update.task_id
        assert paused.status_update.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
        request = SubscribeToTaskRequest(id=task)
        heard: list[list[Any]] = [[], []]
        there = [asyncio.Event(), asyncio.Event()]

        async def listen(number: int) -> None:
            async for event in client.subscribe(request):
                heard[number].append(event)
                if event.status_update.status.state == TaskState.TASK_STATE_INPUT_REQUIRED:
                    there[number].set()

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for number in (0, 1):
                group.create_task(listen(number))
            for each in there:
                await each.wait()
            answer = new_text_message("blue", role=Role.ROLE_USER)
            answer.task_id = task
            await anext(client.send_message(SendMessageRequest(message=answer)))
    assert heard[0] == heard[1]
    assert heard[0][-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED


async def test_details_of_the_run_have_the_protocols_spelling(agent: RunningAgent) -> None:
    async with connected(agent, streaming=False) as client:
        (event,) = await say(client, "hello")
    details = MessageToDict(event.task.status.message.metadata)["agentic"]
    assert {"traceId", "sessionId", "toolCalls"} <= details.keys()
    assert not any("_" in key for key in details)
