"""The A2A surface, asked by the A2A project's own client, over both wire versions."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from a2a.client import ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.client.client import Client
from a2a.helpers.proto_helpers import get_message_text, new_text_message
from a2a.types.a2a_pb2 import GetTaskRequest, Role, SendMessageRequest, TaskState
from a2a.utils.errors import TaskNotFoundError

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
  tools: [{name: calculate, type: code, description: Calculates.}]
"""
RULES = [
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
    assert event.task.status.message.metadata["agentic"]["trace_id"]


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
        ("calculate", "Calculates.")
    ]
    assert card.capabilities.streaming


def test_a_caller_without_a_tenant_is_unauthorized(agent: RunningAgent) -> None:
    assert httpx.post(agent.url, json={}).status_code == 401


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "nothing"}', -32601),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"x": 1}}', -32602),
    ],
)
def test_bad_calls_get_json_rpc_errors(agent: RunningAgent, body: bytes, code: int) -> None:
    headers = {"x-tenant-id": "acme", "A2A-Version": "1.0", "content-type": "application/json"}
    answer = httpx.post(agent.url, content=body, headers=headers, timeout=60)
    assert answer.status_code == 200
    assert answer.json()["error"]["code"] == code
