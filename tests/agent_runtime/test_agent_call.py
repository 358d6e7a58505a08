"""Agents that ask agents: over A2A between real agents, never in a circle, never for ever."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent_runtime.errors import RequestError
from agent_runtime.tools.address_guard import AddressGuard
from agent_runtime.tools.agent_call import AgentCall
from agent_runtime.tools.agent_chain import Chain
from agent_runtime.tools.guarded_http import tool_http_client
from agent_runtime.tools.port import CallContext, TransientToolError
from agents.tool import AgentTool
from tests.harness.agent import serving_agent
from tests.harness.http_server import serving
from tests.harness.scripted_model import scripted_model
from tests.harness.workload import free_port

pytestmark = pytest.mark.services

WHO = CallContext("acme", "kim", "run", "call-1", chain=("ai-agents/a",), tokens_left=900)


@asynccontextmanager
async def bound(url: str, **more: Any) -> AsyncIterator[AgentCall]:
    tool = AgentTool.model_validate(
        {"name": "other", "type": "agent", "config": {"endpoint": url, **more}}
    )
    async with tool_http_client(AddressGuard(["127.0.0.1"])) as http:
        yield AgentCall(tool, http=http, secrets_dir=Path("/nowhere"))


@contextmanager
def answering(body: Any, seen: list[Any]) -> Iterator[str]:
    async def answer(request: Request) -> Response:
        seen.append((dict(request.headers), await request.json()))
        if body == "hang":
            await asyncio.sleep(30)
        return body if isinstance(body, Response) else JSONResponse(body)

    with serving(Starlette(routes=[Route("/", answer, methods=["POST"])])) as url:
        yield f"{url}/"


def test_a_chain_is_read_and_grows_by_the_own_name() -> None:
    headers = {"x-agent-chain": "ai-agents/a, ai-agents/b", "x-agent-budget": "seconds=7;tokens=50"}
    chain = Chain.from_headers(headers, own="ai-agents/c")
    assert chain.agents == ("ai-agents/a", "ai-agents/b", "ai-agents/c")
    assert (chain.seconds, chain.tokens) == (7.0, 50)
    alone = Chain.from_headers({}, own="ai-agents/c")
    assert (alone.agents, alone.tainted) == (("ai-agents/c",), False)
    assert Chain.from_headers({"x-agent-tainted": "true"}, own="ai-agents/c").tainted


@pytest.mark.parametrize(
    ("chain", "code"),
    [
        ("ns/a,ns/own", "agent_cycle"),
        ("ns/own", "agent_cycle"),
        ("ns/a,ns/b,ns/c,ns/d", "agent_depth"),
        ("no slash", "bad_chain"),
        ("ns/a,,ns/b", "bad_chain"),
    ],
)
def test_circles_and_long_chains_are_refused(chain: str, code: str) -> None:
    with pytest.raises(RequestError) as caught:
        Chain.from_headers({"x-agent-chain": chain}, own="ns/own")
    assert caught.value.code == code


async def test_the_other_agent_is_told_who_asks_and_what_is_left() -> None:
    seen: list[Any] = []
    task = {"status": {"state": "TASK_STATE_COMPLETED"}, "artifacts": [{"parts": [{"text": "42"}]}]}
    with answering({"jsonrpc": "2.0", "id": 1, "result": {"task": task}}, seen) as url:
        async with bound(url) as tool:
            soon = replace(WHO, deadline=asyncio.get_running_loop().time() + 20.5)
            result = await tool.call({"message": "six times seven?"}, soon)
    assert result.value == {"answer": "42"}
    headers, body = seen[0]
    assert headers["x-agent-chain"] == "ai-agents/a"
    left = re.fullmatch(r"seconds=(\d+);tokens=900", headers["x-agent-budget"])
    assert left
    assert 1 <= int(left[1]) <= 20
    assert headers["x-tenant-id"] == "acme"
    assert headers["idempotency-key"] == "run:call-1"
    assert "x-agent-tainted" not in headers
    assert body["params"]["message"]["parts"] == [{"text": "six times seven?"}]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": {"code": -32000, "message": "agents ask in a circle"}}, "in a circle"),
        (
            {"result": {"task": {"status": {"state": "TASK_STATE_INPUT_REQUIRED"}}}},
            "input_required",
        ),
        ({"result": {}}, "can't be read"),
        ([1], "can't be read"),
        (Response("x" * 70_000), "too long"),
        (Response("busy", 503), "status 503"),
    ],
)
async def test_what_is_no_answer_is_told_to_the_model(body: Any, said: str) -> None:
    with answering(body, []) as url:
        async with bound(url) as tool:
            result = await tool.call({"message": "?"}, WHO)
    assert result.error
    assert said in result.value


async def test_an_agent_that_never_answers_is_left_and_one_that_is_gone_tried_again() -> None:
    with answering("hang", []) as url:
        async with bound(url, timeout="300ms") as tool:
            result = await tool.call({"message": "?"}, WHO)
    assert (result.error, result.value) == (True, "the other agent did not answer in time")
    async with bound(f"http://127.0.0.1:{free_port()}/") as tool:
        with pytest.raises(TransientToolError):
            await tool.call({"message": "?"}, WHO)


async def test_the_last_agent_of_a_long_chain_asks_nobody() -> None:
    seen: list[Any] = []
    with answering({}, seen) as url:
        async with bound(url) as tool:
            deep = replace(WHO, chain=tuple(f"ns/a{number}" for number in range(4)))
            result = await tool.call({"message": "?"}, deep)
    assert result.error
    assert seen == []


DOCUMENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: %s}
spec:
  model: {name: scripted}
  tools: [{name: ask, type: agent, config: {endpoint: "http://127.0.0.1:%d/"}}]
"""
RULES = [
    {
        "name": "asks on",
        "when": {"user": ".", "after": "none"},
        "reply": {"toolCalls": [{"name": "ask", "arguments": {"message": "on"}}]},
    },
    {"name": "tells", "when": {"after": "ask"}, "reply": {"text": "told"}},
]


def test_two_real_agents_that_ask_each_other_end_with_an_answer() -> None:
    with scripted_model(RULES) as model:
        more = {"model_base_url": model.base_url, "allowed_hosts": ("127.0.0.1",)}
        # the first agent's port is only known once it listens: a small relay stands for it
        back: list[str] = []

        async def relay(request: Request) -> Response:
            async with httpx.AsyncClient(timeout=30) as http:
                body = await request.body()
                kept = {k: v for k, v in request.headers.items() if k.startswith(("x-", "a2a"))}
                kept["content-type"] = "application/json"
                found = await http.post(back[0], content=body, headers=kept)
            return Response(found.content, found.status_code)

        with serving(Starlette(routes=[Route("/", relay, methods=["POST"])])) as place:
            port = int(place.rpartition(":")[2])
            with serving_agent(DOCUMENT % ("second", port), **more) as second:
                other = int(second.url.rpartition(":")[2])
                with serving_agent(DOCUMENT % ("first", other), **more) as first:
                    back.append(f"{first.url}/")
                    answer = httpx.post(
                        f"{first.base_url}/chat/completions",
                        json={"model": "first", "messages": [{"role": "user", "content": "go"}]},
                        headers={"x-tenant-id": "acme"},
                        timeout=60,
                    )
    assert answer.status_code == 200, answer.text
    assert model.played("asks on") == 2, "the first agent is not asked a second time"
    assert any("agents ask in a circle" in str(each["body"]) for each in model.requests)


async def test_an_agent_that_is_asked_again_after_a_crash_works_once() -> None:
    answered = [{"name": "tells", "reply": {"text": "told"}}]
    with scripted_model(answered) as model:
        more = {"model_base_url": model.base_url, "auth": "none"}
        with serving_agent(DOCUMENT % ("second", 9), **more) as second:
            async with bound(f"{second.url}/") as tool:
                first = await tool.call({"message": "go"}, WHO)
                # the lost worker had more time left than the one that asks again
                less = replace(
                    WHO, deadline=asyncio.get_running_loop().time() + 30, tokens_left=800
                )
                again = await tool.call({"message": "go"}, less)
                other = await tool.call({"message": "go"}, replace(WHO, call_id="call-2"))
    assert [each.value for each in (first, again, other)] == [{"answer": "told"}] * 3
    assert model.played("tells") == 2
