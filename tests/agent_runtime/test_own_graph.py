"""Tenants' own LangGraph graphs behind the same surfaces."""

from pathlib import Path

import httpx
import pytest

from agent_runtime.agent.own_graph import load_graph
from agent_runtime.settings import SettingsError
from tests.agent_runtime.runs.effects import TENANT, approve, begin, settled
from tests.harness.agent import RunningAgent, serving_agent
from tests.harness.workload import Workload

pytestmark = pytest.mark.services

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: own}
spec:
  model: {name: scripted}
  framework: langgraph
  entrypoint: tests.agent_runtime.sample_graph:graph
  memory: {type: redis, config: {host: 127.0.0.1, port: %d}}
"""


def serving(valkey: Workload, password_file: Path):  # type: ignore[no-untyped-def] # a context
    return serving_agent(AGENT % valkey.port, redis_password_file=password_file)


def chat(agent: RunningAgent, text: str, session: str | None = None) -> dict[str, object]:
    headers = {**TENANT, **({"x-session-id": session} if session else {})}
    body = {"model": "own", "messages": [{"role": "user", "content": text}]}
    answer = httpx.post(
        f"{agent.base_url}/chat/completions", json=body, headers=headers, trust_env=False
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_a_tenants_graph_answers_and_remembers(valkey: Workload, password_file: Path) -> None:
    with serving(valkey, password_file) as agent:
        first = chat(agent, "hello", session="g1")
        second = chat(agent, "again", session="g1")
    assert first["choices"][0]["message"]["content"] == "1 messages; last: hello"  # type: ignore[index]
    assert second["choices"][0]["message"]["content"] == "3 messages; last: again"  # type: ignore[index]


def test_its_interrupt_waits_for_a_person_and_goes_on_in_another_replica(
    valkey: Workload, password_file: Path
) -> None:
    with serving(valkey, password_file) as agent:
        task_id = begin(agent.url, "decide this")
        found = settled(agent.url, task_id)
    assert found["state"] == "waiting_input"
    assert found["approvals"][0]["arguments"] == {"question": "decide this"}
    with serving(valkey, password_file) as other:
        approve(other.url, found)
        done = settled(other.url, task_id)
    assert done["state"] == "completed"
    assert "A person says yes" in str(done)


@pytest.mark.parametrize(
    ("entrypoint", "words"),
    [
        ("no.such.module:graph", "No module named"),
        ("tests.agent_runtime.sample_graph:none", "no attribute"),
        ("tests.agent_runtime.sample_graph:think", "not a compiled graph"),
    ],
)
def test_an_entrypoint_that_is_no_graph_is_refused_in_one_line(entrypoint: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load_graph(entrypoint, None)
