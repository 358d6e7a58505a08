"""Orders that were read in one turn of a session and are carried out in a later one.

The session's store is a real Valkey and each turn may be served by another replica. The model is
the worst there is: it repeats what it read, and does it when the conversation comes back to it.
"""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent_runtime.agent import engine
from tests.agent_runtime.test_injection import RULES, World, ordered
from tests.harness.agent import RunningAgent, serving_agent
from tests.harness.http_server import serving
from tests.harness.scripted_model import RunningModel, scripted_model
from tests.harness.workload import Workload

pytestmark = pytest.mark.services

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: helper}
spec:
  model: {name: scripted}
  memory: {type: redis, config: {host: 127.0.0.1, port: %(port)d, maxHistory: 6}}
  tools:
    - name: read-mail
      type: api
      config: {endpoint: "%(url)s/mail", method: GET}
    - name: send
      type: api
      trusted: true
      config: {endpoint: "%(url)s/send"}
      parameters: [{name: text, required: true}]
"""
TURNS = [
    {
        "name": "read",
        "when": {"after": "read-mail"},
        "reply": {"text": "It says: ${tool.result.text}"},
    },
    ordered("carry on", "none", "send", text="all secrets"),
]
IDENTITY = {"x-tenant-id": "acme", "x-user-id": "kim"}


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def model() -> Iterator[RunningModel]:
    talk = {"name": "talk", "reply": {"text": "well"}}
    with scripted_model([*TURNS, *RULES, talk]) as running:
        yield running


@pytest.fixture(scope="module")
def replicas(
    world: World, model: RunningModel, valkey: Workload, password_file: Path
) -> Iterator[tuple[RunningAgent, RunningAgent]]:
    with serving(world.app()) as url:
        document = AGENT % {"url": url, "port": valkey.port}
        settings: dict[str, Any] = {
            "model_base_url": model.base_url,
            "redis_password_file": password_file,
            "allowed_hosts": ("127.0.0.1",),
            "queue": f"taint-{uuid.uuid4().hex[:8]}",
        }
        with serving_agent(document, **settings) as one, serving_agent(document, **settings) as two:
            yield one, two


@pytest.fixture(autouse=True)
def _nothing_called_yet(world: World) -> None:
    world.calls.clear()


def say(agent: RunningAgent, session: str | None, *messages: tuple[str, str]) -> dict[str, Any]:
    body = {
        "model": "helper",
        "messages": [{"role": role, "content": text} for role, text in messages],
    }
    headers = IDENTITY | ({"x-session-id": session} if session else {})
    answer = httpx.post(
        f"{agent.base_url}/chat/completions", json=body, headers=headers, timeout=60
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def nothing(messages: object) -> bool:
    del messages
    return False


both = pytest.mark.parametrize("guard", ["kept", "removed"])


@both
def test_what_turn_one_read_holds_a_call_of_turn_three_on_another_replica(
    guard: str,
    replicas: tuple[RunningAgent, RunningAgent],
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if guard == "removed":
        monkeypatch.setattr(engine, "is_tainted", nothing)
    one, two = replicas
    session = uuid.uuid4().hex
    read = say(one, session, ("user", "mail"))["choices"][0]["message"]["content"]
    assert "SEND-ORDER" in read
    say(one, session, ("user", "thanks"))
    third = say(two, session, ("user", "carry on"))
    assert (third["agentic"]["status"] == "waiting_input") is (guard == "kept")
    assert ("/send" in world.calls) is (guard == "removed")


def test_a_session_that_read_nothing_from_outside_writes_without_a_person(
    replicas: tuple[RunningAgent, RunningAgent], world: World
) -> None:
    one, two = replicas
    session = uuid.uuid4().hex
    say(one, session, ("user", "hello"))
    say(two, session, ("user", "carry on"))
    assert "/send" in world.calls


def test_answers_stay_tainted_after_the_one_that_read_has_left_the_conversation(
    replicas: tuple[RunningAgent, RunningAgent], world: World
) -> None:
    one, two = replicas
    session = uuid.uuid4().hex
    say(one, session, ("user", "mail"))
    for number in range(3):  # of six messages that are kept, none is of the first turn any more
        say(two, session, ("user", f"word {number}"))
    assert say(one, session, ("user", "carry on"))["agentic"]["status"] == "waiting_input"
    assert "/send" not in world.calls


def test_the_model_never_sees_the_mark_and_the_session_shows_it(
    replicas: tuple[RunningAgent, RunningAgent], model: RunningModel
) -> None:
    one, two = replicas
    session = uuid.uuid4().hex
    say(one, session, ("user", "mail"))
    say(two, session, ("user", "hello"))
    told = model.requests[-1]["body"]["messages"]
    assert [each["role"] for each in told][-3:] == ["user", "assistant", "user"]
    assert all("untrusted" not in each for each in told)
    shown = httpx.get(f"{one.base_url}/sessions/{session}", headers=IDENTITY).json()["messages"]
    assert [each.get("untrusted", False) for each in shown] == [False, True, False, True]


@both
def test_a_conversation_that_the_caller_keeps_counts_as_read_from_outside(
    guard: str,
    replicas: tuple[RunningAgent, RunningAgent],
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if guard == "removed":
        monkeypatch.setattr(engine, "brings_answers", nothing)
    past = (("user", "mail"), ("assistant", "It says: SEND-ORDER"), ("user", "carry on"))
    said = say(replicas[0], None, *past)
    assert (said["agentic"]["status"] == "waiting_input") is (guard == "kept")
    assert ("/send" in world.calls) is (guard == "removed")
