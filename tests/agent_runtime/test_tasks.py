"""Tasks, sessions and streams of one agent without a store: everything that needs only HTTP."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.harness.agent import RunningAgent, serving_agent
from tests.harness.scripted_model import RunningModel, scripted_model
from tests.harness.workload import eventually

pytestmark = pytest.mark.services

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: helper}
spec:
  model: {name: scripted}
  tools:
    - {name: ask-boss, type: human, config: {prompt: "Is this fine?"}}
"""
RULES = [
    {
        "name": "asks",
        "when": {"user": "boss", "after": "none"},
        "reply": {"toolCalls": [{"name": "ask-boss", "arguments": {"question": "Really?"}}]},
    },
    {"name": "tells", "when": {"after": "ask-boss"}, "reply": {"text": "All fine."}},
    {"name": "fails", "when": {"user": "fail"}, "reply": {"error": {"status": 400}}},
    {
        "name": "slow",
        "when": {"user": "slowly"},
        "reply": {"text": "on and on " * 8, "chunkDelaySeconds": 0.1},
    },
    {"name": "greets", "reply": {"text": "Hello"}},
]
CALLER = {"x-tenant-id": "acme", "x-user-id": "kim"}


@pytest.fixture(scope="module")
def model() -> Iterator[RunningModel]:
    with scripted_model(RULES) as running:
        yield running


@pytest.fixture(scope="module")
def agent(model: RunningModel) -> Iterator[RunningAgent]:
    with serving_agent(AGENT, model_base_url=model.base_url, max_streams=2) as running:
        yield running


def send(agent: RunningAgent, path: str, body: Any = None, **headers: str) -> httpx.Response:
    method = "GET" if body is None else "POST"
    url = f"{agent.base_url}/{path}"
    return httpx.request(method, url, json=body, headers=CALLER | headers, timeout=60)


def begun(agent: RunningAgent, text: str, **more: Any) -> dict[str, Any]:
    answer = send(agent, "tasks", {"input": text, **more})
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/tasks/{answer.json()['id']}"
    return dict(answer.json())


def in_state(agent: RunningAgent, task: str, *states: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = dict(send(agent, f"tasks/{task}").json())
        return found if found["state"] in states else None

    return eventually(look, f"the task to be {states}")


def test_a_task_is_accepted_and_ends_by_itself(agent: RunningAgent) -> None:
    task = begun(agent, "hello", metadata={"ticket": "T-1"})
    done = in_state(agent, task["id"], "completed")
    assert done["output"]["text"] == "Hello"
    assert done["metadata"] == {"ticket": "T-1"}
    assert done["output"]["usage"]["total_tokens"] > 0
    listed = send(agent, f"tasks?session_id={task['session_id']}&state=completed").json()
    assert [each["id"] for each in listed["data"]] == [task["id"]]


def test_pages_follow_each_other(agent: RunningAgent) -> None:
    mine = [begun(agent, "hello")["id"] for _ in range(3)]
    found: list[str] = []
    cursor = ""
    for _ in range(100):
        page = send(agent, f"tasks?limit=2{cursor}").json()
        found += [each["id"] for each in page["data"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert [each for each in found if each in mine] == mine[::-1], "newest first"
    assert len(set(found)) == len(found)


def test_a_failure_is_a_problem_in_the_task_and_in_its_events(agent: RunningAgent) -> None:
    task = begun(agent, "fail")
    failed = in_state(agent, task["id"], "failed")
    assert "refused the conversation" in failed["error"]["detail"]
    assert failed["output"] is None
    events = send(agent, f"tasks/{task['id']}/events").text
    assert "event: run.failed" in events
    assert "refused the conversation" in events


def test_a_canceled_task_stays_canceled(agent: RunningAgent) -> None:
    task = begun(agent, "slowly")
    assert send(agent, f"tasks/{task['id']}/cancel", {}).json()["state"] == "canceled"
    again = send(agent, f"tasks/{task['id']}/cancel", {})
    assert (again.status_code, again.json()["code"]) == (409, "run_ended")
    assert send(agent, f"tasks/{task['id']}").json()["state"] == "canceled"


def test_an_answer_to_the_wrong_question_changes_nothing(agent: RunningAgent) -> None:
    task = begun(agent, "ask my boss")
    waiting = in_state(agent, task["id"], "waiting_input")
    (approval,) = waiting["approvals"]
    yes = {"decision": "approve", "answer": "Fine."}
    other = send(agent, f"tasks/{task['id']}/input", {"answers": {"other": yes}})
    assert (other.status_code, other.json()["code"]) == (404, "approval_not_found")
    said = send(agent, f"tasks/{task['id']}/input", {"answers": {approval["id"]: yes}})
    assert said.status_code == 200, said.text
    assert in_state(agent, task["id"], "completed")["output"]["text"] == "All fine."
    late = send(agent, f"tasks/{task['id']}/input", {"answers": {approval["id"]: yes}})
    assert (late.status_code, late.json()["code"]) == (409, "not_waiting")


@pytest.mark.parametrize("event_id", ["last", "1-", "-1", "9" * 99])
def test_an_event_id_of_another_form_is_refused(agent: RunningAgent, event_id: str) -> None:
    task = begun(agent, "hello")
    answer = send(agent, f"tasks/{task['id']}/events", **{"last-event-id": event_id})
    assert (answer.status_code, answer.json()["param"]) == (400, "last-event-id")


def test_what_belongs_to_another_tenant_does_not_exist(agent: RunningAgent) -> None:
    task = begun(agent, "ask my boss")
    approval = in_state(agent, task["id"], "waiting_input")["approvals"][0]["id"]
    yes = {"decision": "approve", "answer": "Fine."}
    rival = {"x-tenant-id": "rival"}
    tried = [
        send(agent, f"tasks/{task['id']}", **rival),
        send(agent, f"tasks/{task['id']}/events", **rival),
        send(agent, f"tasks/{task['id']}/cancel", {}, **rival),
        send(agent, f"tasks/{task['id']}/input", {"answers": {approval: yes}}, **rival),
        send(agent, f"approvals/{approval}", yes, **rival),
    ]
    assert [answer.status_code for answer in tried] == [404] * 5
    assert send(agent, "tasks", **rival).json()["data"] == []
    assert send(agent, f"tasks/{task['id']}").json()["state"] == "waiting_input"


def test_more_streams_than_allowed_are_told_to_come_back_and_room_returns(
    agent: RunningAgent,
) -> None:
    task = begun(agent, "ask my boss")["id"]
    in_state(agent, task, "waiting_input")
    url = f"{agent.base_url}/tasks/{task}/events"
    body = {"model": "helper", "messages": [{"role": "user", "content": "hello"}]}
    before = send(agent, "tasks").json()["data"]
    with ExitStack() as readers:
        streams = [
            readers.enter_context(httpx.stream("GET", url, headers=CALLER, timeout=60))
            for _ in range(2)
        ]
        assert [stream.status_code for stream in streams] == [200, 200]
        refused = [
            send(agent, "chat/completions", body | {"stream": True}),
            send(agent, "responses", {"input": "hello"}),
            send(agent, f"tasks/{task}/events"),
        ]
        assert [answer.status_code for answer in refused] == [503] * 3
        assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
        rpc = {"jsonrpc": "2.0", "id": 7, "method": "SendMessage"}
        message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hello"}]}
        told = httpx.post(
            agent.url,
            json=rpc | {"params": {"message": message}},
            headers=CALLER | {"A2A-Version": "1.0"},
            timeout=60,
        ).json()
        assert (told["id"], told["error"]["code"]) == (7, -32603)
        assert "streamed" in told["error"]["message"]
        assert send(agent, "tasks").json()["data"] == before, "nothing was begun"
    eventually(
        lambda: send(agent, "chat/completions", body).status_code == 200 or None, "room again"
    )


def test_a_client_that_leaves_stops_neither_its_run_nor_others(agent: RunningAgent) -> None:
    body = {
        "model": "helper",
        "stream": True,
        "messages": [{"role": "user", "content": "slowly"}],
    }
    url = f"{agent.base_url}/chat/completions"
    headers = CALLER | {"x-session-id": "left"}
    with httpx.stream("POST", url, json=body, headers=headers, timeout=60) as stream:
        next(stream.iter_lines())

    def done() -> dict[str, Any] | None:
        listed = send(agent, "tasks?session_id=left").json()["data"]
        return listed[0] if listed[0]["state"] == "completed" else None

    assert eventually(done, "the run to end")["output"]["text"].startswith("on and on")


def test_a_session_can_be_forgotten(agent: RunningAgent) -> None:
    task = begun(agent, "slowly", session_id="to-forget")
    url = f"{agent.base_url}/sessions/to-forget"
    shown = httpx.get(url, headers=CALLER, timeout=60).json()
    assert (shown["id"], shown["active"]) == ("to-forget", task["id"])
    gone = httpx.delete(url, headers=CALLER, timeout=60)
    assert gone.json() == {"id": "to-forget", "object": "session", "deleted": True}
    assert in_state(agent, task["id"], "canceled")


def test_the_card_may_be_cached_and_is_not_sent_again_when_it_is_known(
    agent: RunningAgent,
) -> None:
    url = f"{agent.url}/.well-known/agent-card.json"
    first = httpx.get(url)
    assert "max-age" in first.headers["cache-control"]
    assert first.headers["last-modified"]
    again = httpx.get(url, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert first.json()["capabilities"]["extensions"][0]["uri"].endswith("hitl/v1")
