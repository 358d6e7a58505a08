"""The mirror to kagent's controller.

The controller here is a stand-in: its two endpoints over real HTTP, with the rules that 0.10's
handlers have. What it is told goes through the real outbox in Valkey.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from a2a.compat.v0_3.types import Task
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from agent_runtime.kagent.settings import KagentSettings
from tests.agent_runtime.pods import Pod, pod
from tests.harness.http_server import serving
from tests.harness.scripted_model import RunningModel, scripted_model
from tests.harness.workload import Workload, eventually

pytestmark = pytest.mark.services

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: %s}
spec:
  model: {name: scripted}
  memory: {type: redis, config: {host: 127.0.0.1, port: %d}}
  tools: [{name: ask-boss, type: human, config: {prompt: "Is this fine?"}}]
"""
RULES = [
    {
        "name": "asks",
        "when": {"user": "boss", "after": "none"},
        "reply": {"toolCalls": [{"name": "ask-boss", "arguments": {"question": "Really?"}}]},
    },
    {"name": "tells", "when": {"after": "ask-boss"}, "reply": {"text": "All fine."}},
    {"name": "slow", "when": {"user": "slowly"}, "reply": {"text": "Done", "delaySeconds": 1}},
    {"name": "greets", "reply": {"text": "Hello"}},
]
CALLER = {"x-tenant-id": "acme", "x-user-id": "kim"}


@dataclass
class Controller:
    """The stand-in: `down` refuses everything with 503."""

    url: str = ""
    down: bool = False
    calls: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)

    def app(self) -> Starlette:
        async def taken(request: Request) -> JSONResponse:
            body = await request.json()
            if self.down:
                return JSONResponse({"error": "database is away"}, 503)
            if request.url.path == "/api/sessions" and not body.get("agent_ref"):
                return JSONResponse({"error": "agent_ref is required"}, 400)
            self.calls.append((request.url.path, dict(request.headers), body))
            return JSONResponse({"error": False, "data": body}, 201)

        paths = ("/api/sessions", "/api/tasks")
        return Starlette(routes=[Route(path, taken, methods=["POST"]) for path in paths])

    def tasks(self, task_id: str) -> list[Task]:
        """What it was told of a task, read by the library of the 0.3 wire."""
        told = list(self.calls)
        bodies = [body for path, _, body in told if path == "/api/tasks"]
        return [Task.model_validate(body) for body in bodies if body["id"] == task_id]

    def state(self, task_id: str) -> str | None:
        found = self.tasks(task_id)
        return found[-1].status.state.value if found else None


@pytest.fixture(scope="module")
def served_controller() -> Iterator[Controller]:
    made = Controller()
    with serving(made.app()) as url:
        made.url = url
        yield made


@pytest.fixture
def controller(served_controller: Controller) -> Controller:
    """It knows nothing yet."""
    served_controller.calls.clear()
    served_controller.down = False
    return served_controller


@pytest.fixture(scope="module")
def model() -> Iterator[RunningModel]:
    with scripted_model(RULES) as running:
        yield running


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("token") / "kagent-token"
    path.write_text("first-token")
    return path


@pytest.fixture(scope="module")
def agent(
    served_controller: Controller,
    model: RunningModel,
    valkey: Workload,
    password_file: Path,
    token: Path,
) -> Iterator[Pod]:
    """The agent as a process of its own, with what kagent injects into a Pod."""
    name = f"helper-{uuid.uuid4().hex[:8]}"
    with pod(
        AGENT % (name, valkey.port),
        token.parent,
        AGENT_MODEL_BASE_URL=model.base_url,
        AGENT_REDIS_PASSWORD_FILE=str(password_file),
        KAGENT_URL=served_controller.url,
        KAGENT_NAME=name,
        KAGENT_NAMESPACE="ai-agents",
        KAGENT_TOKEN_FILE=str(token),
    ) as running:
        yield running


def begun(agent: Pod, text: str) -> dict[str, Any]:
    answer = httpx.post(f"{agent.url}/v1/tasks", json={"input": text}, headers=CALLER, timeout=60)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def test_the_controller_hears_of_sessions_pauses_and_ends_under_the_agents_name(
    agent: Pod, controller: Controller, token: Path
) -> None:
    task = begun(agent, "ask my boss")
    eventually(lambda: controller.state(task["id"]) == "input-required" or None, "the pause")
    path, headers, session = controller.calls[0]
    assert (path, session["id"]) == ("/api/sessions", task["session_id"])
    ref = session["agent_ref"]
    assert ref.startswith("ai-agents/helper-")
    assert headers["x-agent-name"] == ref.replace("-", "_").replace("/", "__NS__")
    assert headers["x-user-id"] == "kim"
    assert headers["authorization"] == "Bearer first-token"
    (paused,) = controller.tasks(task["id"])
    assert paused.status.message is not None
    parts = [part.root for part in paused.status.message.parts]
    assert [part.data["name"] for part in parts if part.kind == "data"] == [
        "adk_request_confirmation"
    ]

    token.write_text("rotated-token")
    shown = httpx.get(f"{agent.url}/v1/tasks/{task['id']}", headers=CALLER, timeout=60).json()
    (approval,) = shown["approvals"]
    decided = httpx.post(
        f"{agent.url}/v1/approvals/{approval['id']}",
        json={"decision": "approve", "answer": "Fine."},
        headers=CALLER,
        timeout=60,
    )
    assert decided.status_code == 200, decided.text
    eventually(lambda: controller.state(task["id"]) == "completed" or None, "the end")
    assert controller.calls[-1][1]["authorization"] == "Bearer rotated-token"
    ended = controller.tasks(task["id"])[-1]
    assert ended.artifacts is not None
    assert ended.artifacts[0].parts[0].root.model_dump()["text"] == "All fine."
    assert ended.history is not None
    assert ended.history[0].parts[0].root.model_dump()["text"] == "ask my boss"


def test_a_controller_that_was_away_is_told_when_it_is_back(
    agent: Pod, controller: Controller
) -> None:
    controller.down = True
    task = begun(agent, "hello")
    url = f"{agent.url}/v1/tasks/{task['id']}"

    def ended() -> bool | None:
        state = httpx.get(url, headers=CALLER, timeout=60).json()["state"]
        return state == "completed" or None

    eventually(ended, "the run, which needs no controller")
    assert controller.calls == []
    controller.down = False
    eventually(lambda: controller.state(task["id"]) == "completed" or None, "the end")


def test_a_client_that_leaves_before_the_end_keeps_nothing_from_the_controller(
    agent: Pod, controller: Controller
) -> None:
    """kagent#2447: a disconnect at the terminal write left tasks `working` for ever."""
    name = httpx.get(f"{agent.url}/.well-known/agent-card.json", timeout=60).json()["name"]
    body = {
        "model": name,
        "stream": True,
        "messages": [{"role": "user", "content": "slowly"}],
    }
    url = f"{agent.url}/v1/chat/completions"
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(url, json=body, headers=CALLER, timeout=httpx.Timeout(10, read=0.3))
    eventually(lambda: [c for c in controller.calls if c[0] == "/api/tasks"] or None, "the task")
    assert controller.tasks(controller.calls[-1][2]["id"])[-1].status.state.value == "completed"


def test_an_agents_reference_becomes_the_controllers_identifier() -> None:
    settings = KagentSettings(name="customer-support-agent", namespace="ai-agents")
    assert settings.agent_id == "ai_agents__NS__customer_support_agent"
