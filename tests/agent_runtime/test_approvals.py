"""Runs that wait for a person: kept in Valkey, resumed by any replica, decided once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.harness.agent import RunningAgent, serving_agent
from tests.harness.http_server import serving
from tests.harness.scripted_model import RunningModel, scripted_model
from tests.harness.workload import Workload, eventually

pytestmark = pytest.mark.services

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: careful}
spec:
  model: {name: scripted}
  memory: {type: redis, config: {host: 127.0.0.1, port: %d}}
  tools:
    - name: pay
      type: api
      sideEffect: destructive
      config: {endpoint: "%s/pay"}
      parameters: [{name: amount, type: integer, required: true}]
    - {name: note, type: api, config: {endpoint: "%s/note"}}
    - {name: ask-boss, type: human, config: {prompt: "Is this fine?"}}
"""

RULES = [
    {
        "name": "pays and notes",
        "when": {"user": "pay", "after": "none"},
        "reply": {
            "toolCalls": [
                {"name": "note", "arguments": {"text": "will pay"}},
                {"name": "pay", "arguments": {"amount": 5}},
            ]
        },
    },
    {
        "name": "asks",
        "when": {"user": "boss", "after": "none"},
        "reply": {"toolCalls": [{"name": "ask-boss", "arguments": {"question": "Really?"}}]},
    },
    {"name": "tells", "when": {"after": "ask-boss"}, "reply": {"text": "${tool.result.answer}"}},
    {"name": "paid", "when": {"after": "pay"}, "reply": {"text": "${tool.result.paid|not paid}"}},
]
TENANT = {"x-tenant-id": "acme", "x-user-id": "kim"}


class Bank:
    """A service that remembers each call's path and body."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any, str | None]] = []

    def app(self) -> Starlette:
        async def taken(request: Request) -> JSONResponse:
            body = await request.json()
            key = request.headers.get("idempotency-key")
            self.calls.append((request.url.path, body, key))
            return JSONResponse({"paid": f"{body.get('amount')} paid"})

        return Starlette(routes=[Route("/{any}", taken, methods=["POST"])])

    def paths(self) -> list[str]:
        return sorted(path for path, _, _ in self.calls)


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.fixture(scope="module")
def model() -> Iterator[RunningModel]:
    with scripted_model(RULES) as running:
        yield running


@pytest.fixture
def replica(
    bank: Bank, model: RunningModel, valkey: Workload, password_file: Path
) -> Iterator[Any]:
    """Makes replicas of the agent, which share nothing but the session store."""
    with serving(bank.app()) as url:

        @contextmanager
        def start() -> Iterator[RunningAgent]:
            with serving_agent(
                AGENT % (valkey.port, url, url),
                model_base_url=model.base_url,
                redis_password_file=password_file,
                allowed_hosts=("127.0.0.1",),
            ) as running:
                yield running

        yield start


def ask(agent: RunningAgent, text: str) -> dict[str, Any]:
    body = {"model": "careful", "messages": [{"role": "user", "content": text}]}
    answer = httpx.post(f"{agent.base_url}/chat/completions", json=body, headers=TENANT, timeout=60)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def decide(agent: RunningAgent, approval: str, decision: str, **more: str) -> httpx.Response:
    body = {"decision": decision, **more}
    url = f"{agent.base_url}/approvals/{approval}"
    return httpx.post(url, json=body, headers=TENANT, timeout=60)


def ended(agent: RunningAgent, decision: httpx.Response) -> dict[str, Any]:
    """The task after a decision, once it ended."""
    assert decision.status_code == 200, decision.text
    url = f"{agent.base_url}/tasks/{decision.json()['id']}"

    def look() -> dict[str, Any] | None:
        task = dict(httpx.get(url, headers=TENANT, timeout=60).json())
        return task if task["state"] in ("completed", "failed") else None

    return eventually(look, "the task to end")


def test_a_destructive_call_waits_and_is_made_once_by_another_replica_after_approval(
    replica: Any, bank: Bank
) -> None:
    with replica() as first:
        asked = ask(first, "pay please")
    assert asked["agentic"]["status"] == "waiting_input"
    (approval,) = asked["agentic"]["approvals"]
    assert (approval["tool"], approval["arguments"]) == ("pay", {"amount": 5})
    assert bank.paths() == ["/note"]

    with replica() as second:
        listed = httpx.get(f"{second.base_url}/approvals", headers=TENANT).json()["data"]
        assert approval["id"] in [each["id"] for each in listed]
        done = ended(second, decide(second, approval["id"], "approve"))
    assert done["output"]["text"] == "5 paid"
    assert done["session_id"] == asked["agentic"]["session_id"]
    assert bank.paths() == ["/note", "/pay"], "the finished branch must not run again"
    keys = [key for _, _, key in bank.calls]
    assert len(set(keys)) == 2
    assert all(keys)


def test_a_refused_call_is_never_made_and_the_model_hears_why(replica: Any, bank: Bank) -> None:
    with replica() as agent:
        (approval,) = ask(agent, "pay please")["agentic"]["approvals"]
        done = ended(agent, decide(agent, approval["id"], "reject", answer="too dear"))
    assert done["output"]["text"] == "not paid"
    assert [call["status"] for call in done["output"]["tool_calls"]] == ["ok", "refused"]
    assert bank.paths() == ["/note"]


def test_a_decision_counts_once(replica: Any, bank: Bank) -> None:
    with replica() as agent:
        (approval,) = ask(agent, "pay please")["agentic"]["approvals"]
        ended(agent, decide(agent, approval["id"], "approve"))
        again = decide(agent, approval["id"], "approve")
    assert again.status_code == 404
    assert bank.paths().count("/pay") == 1


def test_another_tenant_neither_sees_nor_decides(replica: Any, bank: Bank) -> None:
    rival = {"x-tenant-id": "rival"}
    with replica() as agent:
        (approval,) = ask(agent, "pay please")["agentic"]["approvals"]
        seen = httpx.get(f"{agent.base_url}/approvals", headers=rival).json()["data"]
        url = f"{agent.base_url}/approvals/{approval['id']}"
        tried = httpx.post(url, json={"decision": "approve"}, headers=rival)
    assert seen == []
    assert tried.status_code == 404
    assert bank.paths() == ["/note"]


def test_a_human_tool_hands_the_persons_words_to_the_model(replica: Any) -> None:
    with replica() as agent:
        (approval,) = ask(agent, "ask my boss")["agentic"]["approvals"]
        assert approval["prompt"] == "Is this fine?"
        done = ended(agent, decide(agent, approval["id"], "approve", answer="Fine by me."))
    assert done["output"]["text"] == "Fine by me."


def test_a_decision_in_other_words_is_explained(replica: Any) -> None:
    with replica() as agent:
        answer = decide(agent, "x" * 32, "perhaps")
    assert answer.status_code == 400
    assert "'approve' or 'reject'" in answer.json()["detail"]
