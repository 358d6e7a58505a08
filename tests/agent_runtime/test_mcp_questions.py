"""Questions of the registry to the person behind an MCP client, on both wires."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx
import httpx2
import mcp_types as wire
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests.agent_runtime.test_tools_mcp import BO, KIM, Service, asked, tool_server
from tests.harness.http_server import serving

pytestmark = pytest.mark.services

TOOLS = """
apiVersion: kagent.dev/v1alpha1
kind: Tool
metadata: {name: pay}
spec:
  type: api
  config: {endpoint: "%(url)s/pay"}
  parameters: [{name: amount, type: integer, required: true}, {name: note}]
---
apiVersion: kagent.dev/v1alpha1
kind: Tool
metadata: {name: pay-much}
spec:
  type: api
  config: {endpoint: "%(url)s/pay"}
  approval: {fourEyes: true}
---
apiVersion: kagent.dev/v1alpha1
kind: Tool
metadata: {name: colour}
spec: {type: human, config: {kind: input, prompt: "Which colour?"}}
"""
Wire = Literal["auto", "legacy"]


class Person:
    """Says what it is told to, and remembers what it was shown."""

    def __init__(self, action: Literal["accept", "decline", "cancel"], **content: str) -> None:
        self.shown: list[wire.ElicitRequestFormParams] = []
        self._said = wire.ElicitResult(action=action, content={**content} or None)

    async def __call__(self, context: Any, params: wire.ElicitRequestParams) -> wire.ElicitResult:
        del context
        assert isinstance(params, wire.ElicitRequestFormParams)
        self.shown.append(params)
        return self._said


@asynccontextmanager
async def client(
    url: str, mode: Wire = "auto", person: Person | None = None
) -> AsyncIterator[Client]:
    http = httpx2.AsyncClient(headers=KIM, trust_env=False)
    stream = streamable_http_client(f"{url}/mcp", http_client=http)
    async with http, Client(stream, mode=mode, elicitation_callback=person) as made:
        yield made


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def documents(service: Service) -> Iterator[str]:
    with serving(service.app()) as behind:
        yield TOOLS % {"url": behind}


def text_of(result: wire.CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, wire.TextContent)
    return block.text


both = pytest.mark.parametrize(("mode", "sessions"), [("auto", False), ("legacy", True)])


@both
async def test_a_person_is_shown_the_very_call_and_agrees_to_it_once(
    documents: str, service: Service, mode: Wire, *, sessions: bool
) -> None:
    person = Person("accept")
    with tool_server(documents, mcp_sessions=sessions) as url:
        async with client(url, mode, person) as made:
            paid = await made.call_tool("pay", {"amount": 5})
            assert not paid.is_error
            assert service.calls == [("/pay", '{"amount": 5}')]
            assert not (await made.call_tool("pay", {"amount": 6})).is_error
    assert len(person.shown) == 2, "each call is another question"
    assert 'pay({"amount": 5})' in person.shown[0].message
    assert len(service.calls) == 2


async def test_a_person_sees_the_whole_call_or_is_not_asked(
    documents: str, service: Service
) -> None:
    person = Person("accept")
    with tool_server(documents) as url:
        async with client(url, "auto", person) as made:
            await made.call_tool("pay", {"amount": 5, "note": "for \u202eKim"})
            long = await made.call_tool("pay", {"amount": 900, "note": "x" * 5000})
    (shown,) = person.shown
    assert r"for \u202eKim" in shown.message, "letters that turn the line round are spelled out"
    assert "waits for a person" in text_of(long)
    assert len(service.calls) == 1


@both
async def test_the_words_of_a_person_are_the_result_of_a_human_tool(
    documents: str, mode: Wire, *, sessions: bool
) -> None:
    person = Person("accept", answer="blue")
    with tool_server(documents, mcp_sessions=sessions) as url:
        async with client(url, mode, person) as made:
            said = await made.call_tool("colour", {"question": "of the wall"})
    assert said.structured_content == {"approved": True, "answer": "blue"}
    assert person.shown[0].message.startswith("Which colour?")
    assert person.shown[0].requested_schema["required"] == ["answer"]


@pytest.mark.parametrize(
    ("person", "said", "left"),
    [
        (Person("decline", answer="too much"), "refused this call: too much", 0),
        (Person("cancel"), "waits for a person", 1),
    ],
    ids=["declined", "left open"],
)
async def test_a_person_may_refuse_or_leave_it_open(
    documents: str, service: Service, person: Person, said: str, left: int
) -> None:
    with tool_server(documents) as url:
        async with client(url, "auto", person) as made:
            result = await made.call_tool("pay", {"amount": 5})
        waiting = (await asked("GET", f"{url}/v1/approvals", KIM)).json()["data"]
    assert said in text_of(result)
    assert len(waiting) == left
    assert service.calls == []


async def test_who_may_not_decide_is_not_asked(documents: str, service: Service) -> None:
    person = Person("accept")
    with tool_server(documents) as url:
        async with client(url, "auto", person) as made:
            held = await made.call_tool("pay-much", {})
            assert "waits for a person" in text_of(held)
            (approval,) = (await asked("GET", f"{url}/v1/approvals", BO)).json()["data"]
            await asked("POST", f"{url}/v1/approvals/{approval['id']}", BO, decision="approve")
            assert not (await made.call_tool("pay-much", {})).is_error
    assert person.shown == []
    assert len(service.calls) == 1


async def test_an_answer_to_what_nobody_was_asked_does_not_count(
    documents: str, service: Service
) -> None:
    with tool_server(documents) as url:
        async with client(url, "auto", Person("accept")) as made:
            first = await made.session.call_tool("pay", {"amount": 5}, allow_input_required=True)
            assert isinstance(first, wire.InputRequiredResult)
            ((place, _),) = (first.input_requests or {}).items()
        approval = f"{url}/v1/approvals/{place}"
        assert (await asked("POST", approval, KIM, decision="reject")).status_code == 200
        agreed: wire.InputResponses = {place: wire.ElicitResult(action="accept")}
        async with client(url, "auto", Person("accept")) as made:
            refused = await made.call_tool("pay", {"amount": 5})
            again = await made.session.call_tool(
                "pay", {"amount": 5}, input_responses=agreed, allow_input_required=True
            )
    assert "refused this call" in text_of(refused), "what was decided at the desk stands"
    assert isinstance(again, wire.InputRequiredResult), "the question was gone with that answer"
    assert service.calls == []


@pytest.mark.parametrize(("mode", "person"), [("legacy", Person("accept")), ("auto", None)])
async def test_a_client_that_cannot_be_asked_is_told_to_come_back(
    documents: str, service: Service, mode: Wire, person: Person | None
) -> None:
    with tool_server(documents) as url:
        async with client(url, mode, person) as made:
            held = await made.call_tool("pay", {"amount": 5})
    assert "waits for a person" in text_of(held)
    assert service.calls == []


def test_a_session_belongs_to_whoever_opened_it(documents: str) -> None:
    begin = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "a", "version": "1"},
        },
    }
    form = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    rival = {"x-tenant-id": "rival", "x-user-id": "kim"}
    with tool_server(documents, mcp_sessions=True) as url, httpx.Client(trust_env=False) as http:
        opened = http.post(f"{url}/mcp", json=begin, headers=KIM | form)
        session = {"mcp-session-id": opened.headers["mcp-session-id"]} | form
        found = [
            http.post(f"{url}/mcp", json=ping, headers=session | who).status_code
            for who in (KIM, BO, rival)
        ]
    assert found == [200, 404, 404]
