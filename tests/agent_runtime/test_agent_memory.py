"""An agent that remembers beyond a session: over HTTP, on a real vector store."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.agent import RunningAgent, serving_agent
from tests.harness.milvus_server import VectorStore
from tests.harness.scripted_model import RunningModel, scripted_model
from tests.harness.workload import Workload, eventually, free_port

pytestmark = pytest.mark.services

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: companion}
spec:
  model: {name: scripted}
  memory: {longTerm: {collection: %s, minScore: 0.1, onUnavailable: %s}}
"""
RULES = [
    {
        "name": "keeps",
        "when": {"user": "^remember (.*)", "after": "none"},
        "reply": {"toolCalls": [{"name": "remember", "arguments": {"fact": "${user.1}"}}]},
    },
    {
        "name": "looks",
        "when": {"after": "none"},
        "reply": {"toolCalls": [{"name": "recall", "arguments": {"query": "${user}"}}]},
    },
    {
        "name": "tells",
        "when": {"after": "recall"},
        "reply": {"text": "${tool.result.facts.0.fact|nothing known}"},
    },
    {"name": "nods", "when": {"after": "any"}, "reply": {"text": "noted"}},
]


@pytest.fixture(scope="module")
def model() -> Iterator[RunningModel]:
    with scripted_model(RULES) as running:
        yield running


@pytest.fixture
def short_term(valkey: Workload, password_file: Path) -> dict[str, Any]:
    """Settings of the session store."""
    return {
        "redis_host": "127.0.0.1",
        "redis_port": valkey.port,
        "redis_password_file": password_file,
    }


def ask(agent: RunningAgent, text: str, *, user: str = "ada", tenant: str = "acme") -> Any:
    body = {"model": "companion", "messages": [{"role": "user", "content": text}]}
    headers = {"x-tenant-id": tenant, "x-user-id": user}
    return httpx.post(f"{agent.base_url}/chat/completions", json=body, headers=headers, timeout=60)


def said(agent: RunningAgent, text: str, **who: str) -> str:
    answer = ask(agent, text, **who)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["message"]["content"])


def test_a_fact_of_one_conversation_is_known_in_the_next(
    model: RunningModel, vector_store: VectorStore, collection: str, short_term: dict[str, Any]
) -> None:
    with serving_agent(
        AGENT % (collection, "degrade"),
        model_base_url=model.base_url,
        **vector_store.settings(),
        **short_term,
    ) as agent:
        assert said(agent, "remember Ada takes green tea") == "noted"

        def stored() -> bool | None:
            return (
                bool(agent.metric("agent_memory_writes_total", agent="companion", outcome="stored"))
                or None
            )

        eventually(stored, "the fact to be stored")
        assert said(agent, "what tea does Ada take") == "Ada takes green tea"
        assert said(agent, "what tea does Ada take", user="bob") == "nothing known"
        assert said(agent, "what tea does Ada take", tenant="rival") == "nothing known"


@pytest.mark.parametrize(("policy", "status"), [("degrade", 200), ("fail", 503)])
def test_a_memory_that_is_down_follows_the_documents_rule(
    model: RunningModel, collection: str, short_term: dict[str, Any], policy: str, status: int
) -> None:
    with serving_agent(
        AGENT % (collection, policy),
        model_base_url=model.base_url,
        milvus_url=f"http://127.0.0.1:{free_port()}",
        **short_term,
    ) as agent:
        answer = ask(agent, "what tea does Ada take")
    assert answer.status_code == status, answer.text
    if status == 200:
        assert "memory:recall" in answer.json()["agentic"]["degraded"]
        told = model.requests[-1]["body"]["messages"][-1]["content"]
        assert "does not mean that nothing was kept" in told
    else:
        assert answer.json()["error"]["code"] == "knowledge_unavailable"
