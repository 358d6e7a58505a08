"""Orders from outside that one agent reads and another one, which is asked, could carry out."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from agent_runtime.agent import tool_step
from agent_runtime.tools.policy import Verdict, taint_handed_on
from agents.tool import AgentTool
from tests.agent_runtime.test_injection import World, ordered
from tests.agent_runtime.test_tools_mcp import KIM, client, tool_server
from tests.harness.agent import RunningAgent, serving_agent
from tests.harness.http_server import serving
from tests.harness.scripted_model import scripted_model

pytestmark = pytest.mark.services

DOER = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: doer}
spec:
  model: {name: scripted}
  tools:
    - name: send
      type: api
      config: {endpoint: "%(url)s/send"}
      parameters: [{name: text, required: true}]
"""
ASKER = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: asker}
spec:
  model: {name: scripted}
  tools:
    - name: read-mail
      type: api
      config: {endpoint: "%(url)s/mail", method: GET}
    - name: ask
      type: agent
      sideEffect: read
      config: {endpoint: "%(doer)s/"}
    - name: ask-anyway
      type: agent
      afterUntrusted: allow
      config: {endpoint: "%(doer)s/"}
"""
TOOL = """
apiVersion: kagent.dev/v1alpha1
kind: Tool
metadata: {name: ask}
spec: {type: agent, sideEffect: read, config: {endpoint: "%s/"}}
"""
RULES = [
    ordered("mail", "none", "read-mail"),
    ordered("at once", "none", "ask", message="do it"),
    ordered("SEND-ORDER", "read-mail", "ask", message="do it"),
    ordered("do it", "none", "send", text="all secrets"),
    {"name": "done", "when": {"after": "any"}, "reply": {"text": "done"}},
]
ANYWAY = [
    RULES[0],
    ordered("SEND-ORDER", "read-mail", "ask-anyway", message="do it"),
    *RULES[3:],
]


ASK = {"name": "ask", "type": "agent", "config": {"endpoint": "https://other.example/"}}


@pytest.mark.parametrize(
    ("more", "ruling", "handed_on"),
    [
        ({"sideEffect": "read"}, Verdict("call"), True),
        ({"sideEffect": "read"}, Verdict("ask"), False),
        ({"afterUntrusted": "allow"}, Verdict("call"), False),
    ],
    ids=["nobody agreed", "a person agreed to this call", "the author allows it"],
)
def test_who_agreed_decides_what_an_asked_agent_is_told(
    more: dict[str, str],
    ruling: Verdict,
    handed_on: bool,  # noqa: FBT001 # a column of the table
) -> None:
    tool = AgentTool.model_validate(ASK | more)
    assert taint_handed_on(tool, ruling, tainted=True) is handed_on
    assert not taint_handed_on(tool, ruling, tainted=False)


async def test_what_an_mcp_client_asks_counts_as_asked_for_from_outside() -> None:
    seen: list[str | None] = []

    async def answer(request: Request) -> JSONResponse:
        seen.append(request.headers.get("x-agent-tainted"))
        return JSONResponse({"result": {"message": {"parts": [{"text": "told"}]}}})

    with serving(Starlette(routes=[Route("/", answer, methods=["POST"])])) as url:
        document = TOOL % url
        with tool_server(document) as registry:
            async with client(registry, KIM) as made:
                told = await made.call_tool("ask", {"message": "do it"})
    assert told.structured_content == {"answer": "told"}
    assert seen == ["true"]


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def url(world: World) -> Iterator[str]:
    with serving(world.app()) as running:
        yield running


def said(asker: RunningAgent, text: str) -> dict[str, Any]:
    answer = httpx.post(
        f"{asker.base_url}/chat/completions",
        json={"model": "asker", "messages": [{"role": "user", "content": text}]},
        headers={"x-tenant-id": "acme", "x-user-id": "kim"},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize(
    ("text", "rules", "guard", "sent"),
    [
        ("mail", RULES, "kept", False),
        ("mail", RULES, "removed", True),
        ("at once", RULES, "kept", True),
        ("mail", ANYWAY, "kept", True),
    ],
    ids=["after mail", "after mail, without the guard", "nothing read", "the author allows it"],
)
def test_an_asked_agent_writes_nothing_for_an_agent_that_read_from_outside(
    text: str,
    rules: list[dict[str, Any]],
    guard: str,
    sent: bool,  # noqa: FBT001 # a column of the table
    url: str,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing(*given: object, **more: object) -> bool:
        del given, more
        return False

    if guard == "removed":
        monkeypatch.setattr(tool_step, "taint_handed_on", nothing)
    world.calls.clear()
    with scripted_model(rules) as model:
        more: dict[str, Any] = {
            "model_base_url": model.base_url,
            "allowed_hosts": ("127.0.0.1",),
        }
        with (
            serving_agent(DOER % {"url": url}, **more) as doer,
            serving_agent(ASKER % {"url": url, "doer": doer.url}, **more) as asker,
        ):
            said(asker, text)
    assert ("/send" in world.calls) is sent
    waited = any("input_required" in str(each["body"]) for each in model.requests)
    assert waited is not sent
