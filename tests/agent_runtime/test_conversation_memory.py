"""Short-term memory in a real Valkey: what is remembered, for whom, and for how long."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from tests.agent_runtime.conftest import PASSWORD
from tests.harness.agent import RunningAgent, serving_agent
from tests.harness.scripted_model import RunningModel, scripted_model
from tests.harness.workload import Workload, free_port

pytestmark = pytest.mark.services

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: keeper}
spec:
  model: {name: scripted}
  memory: {type: redis, config: {host: 127.0.0.1, port: %d, ttl: 120, maxHistory: 4}}
"""


@pytest.fixture(scope="module")
def model() -> Iterator[RunningModel]:
    with scripted_model([{"name": "echo", "reply": {"text": "heard: ${user}"}}]) as running:
        yield running


@pytest.fixture(scope="module")
def agent(model: RunningModel, valkey: Workload, password_file: Path) -> Iterator[RunningAgent]:
    with serving_agent(
        AGENT % valkey.port, model_base_url=model.base_url, redis_password_file=password_file
    ) as running:
        yield running


def say(
    agent: RunningAgent, text: str, *, session: str | None, tenant: str = "acme"
) -> httpx.Response:
    headers = {"x-tenant-id": tenant} | ({"x-session-id": session} if session else {})
    body = {"model": "keeper", "messages": [{"role": "user", "content": text}]}
    return httpx.post(f"{agent.base_url}/chat/completions", json=body, headers=headers, timeout=60)


def heard(model: RunningModel) -> list[Any]:
    """What the model was told last, without the instructions."""
    messages = model.requests[-1]["body"]["messages"]
    return [each["content"] for each in messages if each["role"] != "system"]


def test_a_session_goes_on_where_it_stopped(agent: RunningAgent, model: RunningModel) -> None:
    first = say(agent, "one", session=None)
    session = first.headers["x-session-id"]
    say(agent, "two", session=session)
    assert heard(model) == ["one", "heard: one", "two"]


def test_no_more_than_the_documents_history_is_kept(
    agent: RunningAgent, model: RunningModel
) -> None:
    session = uuid.uuid4().hex
    for text in ("a", "b", "c", "d"):
        say(agent, text, session=session)
    assert heard(model) == ["b", "heard: b", "c", "heard: c", "d"]


def test_another_tenant_with_the_same_session_id_hears_nothing_of_it(
    agent: RunningAgent, model: RunningModel
) -> None:
    session = uuid.uuid4().hex
    say(agent, "a secret", session=session)
    say(agent, "what was said?", session=session, tenant="rival")
    assert heard(model) == ["what was said?"]


def test_a_session_expires_after_the_documents_time(agent: RunningAgent, valkey: Workload) -> None:
    session = uuid.uuid4().hex
    say(agent, "one", session=session)
    with redis.Redis(port=valkey.port, password=PASSWORD) as store:
        (key,) = store.keys(f"*{session}")
        assert key.decode() == f"agent:acme:keeper:session:{session}"
        assert 0 < int(store.ttl(key)) <= 120


@pytest.fixture
def agent_without_store(model: RunningModel) -> Iterator[RunningAgent]:
    document = (AGENT % free_port()).replace("type: redis,", "type: redis, required: false,")
    assert "required" in document
    with serving_agent(document, model_base_url=model.base_url) as running:
        yield running


def test_a_new_conversation_is_answered_without_the_store_and_says_so(
    agent_without_store: RunningAgent,
) -> None:
    answer = say(agent_without_store, "one", session=None)
    assert answer.status_code == 200
    assert answer.json()["agentic"]["degraded"] == ["memory"]


def test_a_known_conversation_is_not_answered_as_if_it_were_new(
    agent_without_store: RunningAgent,
) -> None:
    answer = say(agent_without_store, "two", session="known")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "memory_unavailable"
    assert int(answer.headers["retry-after"]) > 0
