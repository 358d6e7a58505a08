"""Two real processes of one agent, which share nothing but the session store."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.agent_runtime.pods import Pod, pod
from tests.harness.scripted_model import RunningModel, scripted_model
from tests.harness.workload import Workload, eventually

pytestmark = pytest.mark.services

HITL = "https://kagent.dev/extensions/hitl/v1"
AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: pods-helper}
spec:
  model: {name: scripted}
  memory: {type: redis, config: {host: 127.0.0.1, port: %d}}
  tools:
    - {name: ask-boss, type: human, config: {prompt: "Is this fine?"}}
    - {name: calculate, type: code, requiresApproval: true}
"""
RULES = [
    {
        "name": "asks",
        "when": {"user": "boss", "after": "none"},
        "reply": {"toolCalls": [{"name": "ask-boss", "arguments": {"question": "Really?"}}]},
    },
    {
        "name": "calculates",
        "when": {"user": "calculate", "after": "none"},
        "reply": {
            "toolCalls": [
                {"name": "calculate", "arguments": {"code": "1+1"}},
                {"name": "calculate", "arguments": {"code": "2+2"}},
            ]
        },
    },
    {"name": "tells", "when": {"after": "ask-boss"}, "reply": {"text": "${tool.result.answer}"}},
    {"name": "reports", "when": {"after": "calculate"}, "reply": {"text": "Calculated."}},
    {
        "name": "slow",
        "when": {"user": "slowly"},
        "reply": {"text": "one two three four five six seven", "chunkDelaySeconds": 0.2},
    },
    {"name": "greets", "reply": {"text": "Hello"}},
]
CALLER = {"x-tenant-id": "acme", "x-user-id": "kim"}


@pytest.fixture(scope="module")
def model() -> Iterator[RunningModel]:
    with scripted_model(RULES) as running:
        yield running


@pytest.fixture(scope="module")
def environment_of_a_pod(
    model: RunningModel, valkey: Workload, password_file: Path
) -> dict[str, str]:
    return {
        "AGENT_MODEL_BASE_URL": model.base_url,
        "AGENT_REDIS_PASSWORD_FILE": str(password_file),
        "AGENT_LEASE_SECONDS": "3",
        "AGENT_QUEUE": "pods-helper-queue",
    }


@pytest.fixture(scope="module")
def pods(
    environment_of_a_pod: dict[str, str],
    valkey: Workload,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Pod, Pod]]:
    folder = tmp_path_factory.mktemp("pods")
    document = AGENT % valkey.port
    with (
        pod(document, folder, **environment_of_a_pod) as one,
        pod(document, folder, **environment_of_a_pod) as other,
    ):
        yield one, other


def call(pod: Pod, method: str, params: dict[str, Any], **headers: str) -> dict[str, Any]:
    """A JSON-RPC call, as it stands on the wire."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = httpx.post(pod.url, json=body, headers=CALLER | headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def said(text: str, **more: Any) -> dict[str, Any]:
    """A message of the 0.3 wire."""
    parts = [{"kind": "text", "text": text}]
    return {"messageId": "m1", "role": "user", "kind": "message", "parts": parts, **more}


def test_what_one_pod_asks_on_kagents_older_wire_another_is_told(pods: tuple[Pod, Pod]) -> None:
    """a2a-python#1188: with state in a process, the answer on another pod is lost."""
    one, other = pods
    task = call(one, "message/send", {"message": said("calculate")})["result"]
    assert task["status"]["state"] == "input-required"
    asked = [part for part in task["status"]["message"]["parts"] if part["kind"] == "data"]
    assert [part["metadata"]["kagent_type"] for part in asked] == ["function_call"] * 2
    assert all(part["metadata"]["kagent_is_long_running"] for part in asked)
    calls = [part["data"]["args"]["originalFunctionCall"] for part in asked]
    assert sorted(each["args"]["code"] for each in calls) == ["1+1", "2+2"]
    first, second = (each["id"] for each in calls)
    decision = {
        "decision_type": "batch",
        "decisions": {first: "approve", second: "reject"},
        "rejection_reasons": {second: "Too dangerous"},
    }
    parts = [{"kind": "data", "data": decision}, {"kind": "text", "text": "Decided"}]
    message = {**said("", taskId=task["id"], contextId=task["contextId"]), "parts": parts}
    done = call(other, "message/send", {"message": message})["result"]
    assert done["status"]["state"] == "completed", done
    assert done["artifacts"][0]["parts"][0]["text"] == "Calculated."
    records = done["status"]["message"]["metadata"]["agentic"]["toolCalls"]
    assert sorted(each["status"] for each in records) == ["ok", "refused"]
    again = call(one, "tasks/get", {"id": task["id"]})["result"]
    assert again["status"]["state"] == "completed", "the pod that asked knows it, too"
    stale = call(one, "message/send", {"message": message})
    assert stale["error"]["code"] == -32004, "a decision counts once"


def test_the_extension_is_spoken_with_clients_that_opt_in(pods: tuple[Pod, Pod]) -> None:
    one, other = pods
    wire = {"A2A-Version": "1.0", "A2A-Extensions": HITL}
    message = {"messageId": "m2", "role": "ROLE_USER", "parts": [{"text": "ask my boss"}]}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}
    answer = httpx.post(one.url, json=body, headers=CALLER | wire, timeout=60)
    assert answer.headers["a2a-extensions"] == HITL
    task = answer.json()["result"]["task"]
    asked = task["status"]["message"]
    assert asked["extensions"] == [HITL]
    assert all("data" not in part for part in asked["parts"])
    payload = asked["metadata"][HITL]
    assert payload["type"] in ("ask_user_request", "tool_approval_request")
    if payload["type"] == "ask_user_request":
        told: dict[str, Any] = {
            "type": "ask_user_response",
            "id": payload["id"],
            "answers": [{"answer": ["Fine by me."]}],
        }
    else:
        told = {
            "type": "tool_approval_response",
            "approvals": [{"id": each["id"], "approved": True} for each in payload["tools"]],
        }
    reply = {
        "messageId": "m3",
        "role": "ROLE_USER",
        "taskId": task["id"],
        "contextId": task["contextId"],
        "extensions": [HITL],
        "metadata": {HITL: told},
        "parts": [{"text": "Answered"}],
    }
    done = call(other, "SendMessage", {"message": reply}, **wire)["result"]["task"]
    assert done["status"]["state"] == "TASK_STATE_COMPLETED", done


def lines_of(stream: httpx.Response) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Id, type and data of each server-sent event."""
    found: dict[str, str] = {}
    for line in stream.iter_lines():
        name, _, value = line.partition(": ")
        if line and not line.startswith(":"):
            found[name] = value
        elif found:
            yield found.get("id", ""), found.get("event", ""), json.loads(found["data"])
            found = {}


def test_a_reader_goes_on_at_another_pod_without_a_gap_or_a_repetition(
    pods: tuple[Pod, Pod],
) -> None:
    one, other = pods
    begun = httpx.post(f"{one.url}/v1/tasks", json={"input": "slowly"}, headers=CALLER, timeout=60)
    path = f"/v1/tasks/{begun.json()['id']}/events"
    seen = []
    with httpx.stream("GET", f"{one.url}{path}", headers=CALLER, timeout=60) as stream:
        for event in lines_of(stream):
            seen.append(event)
            if event[1] == "text.delta":
                break
    resumed = CALLER | {"last-event-id": seen[-1][0]}
    with httpx.stream("GET", f"{other.url}{path}", headers=resumed, timeout=60) as stream:
        seen += list(lines_of(stream))
    text = "".join(data["text"] for _, kind, data in seen if kind == "text.delta")
    assert text == "one two three four five six seven"
    assert len({event_id for event_id, _, _ in seen}) == len(seen)
    assert seen[-1][1] == "run.completed"


@pytest.mark.slow
def test_a_task_outlives_the_pod_that_worked_on_it(
    pods: tuple[Pod, Pod],
    environment_of_a_pod: dict[str, str],
    valkey: Workload,
    tmp_path: Path,
) -> None:
    """kagent#2600: a restart broke the session for good."""
    survivor, _ = pods
    session = "outlives"
    with pod(AGENT % valkey.port, tmp_path, **environment_of_a_pod) as victim:
        body = {
            "model": "pods-helper",
            "stream": True,
            "messages": [{"role": "user", "content": "slowly"}],
        }
        headers = CALLER | {"x-session-id": session}
        url = f"{victim.url}/v1/chat/completions"
        with httpx.stream("POST", url, json=body, headers=headers, timeout=60) as stream:
            next(stream.iter_lines())
            victim.kill()

    def ended() -> dict[str, Any] | None:
        listed = httpx.get(
            f"{survivor.url}/v1/tasks", params={"session_id": session}, headers=CALLER, timeout=60
        ).json()["data"]
        return listed[0] if listed and listed[0]["state"] == "completed" else None

    task = eventually(ended, "another pod to finish it")
    assert task["attempt"] == 2
    assert task["output"]["text"] == "one two three four five six seven"
    asked = {"model": "pods-helper", "messages": [{"role": "user", "content": "hello"}]}
    again = httpx.post(
        f"{survivor.url}/v1/chat/completions",
        json=asked,
        headers=CALLER | {"x-session-id": session},
        timeout=60,
    )
    assert again.json()["choices"][0]["message"]["content"] == "Hello"
