"""An agent with one tool of each kind, and the server that counts what the tools did."""

import asyncio
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.harness.http_server import serving
from tests.harness.scripted_model import RunningModel, scripted_model
from tests.harness.workload import eventually

TENANT = {"x-tenant-id": "acme", "x-user-id": "kim"}

AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: NAME}
spec:
  model: {name: scripted}
  memory: {type: redis, config: {host: 127.0.0.1, port: PORT}}
  tools:
    - name: look
      type: api
      config: {endpoint: "EFFECTS/look", method: GET}
      parameters: [{name: order, type: string, required: true}]
    - name: book
      type: api
      afterUntrusted: allow
      config: {endpoint: "EFFECTS/book"}
      parameters: [{name: order, type: string, required: true}]
    - name: sign
      type: api
      requiresApproval: true
      config: {endpoint: "EFFECTS/sign"}
      parameters: [{name: order, type: string, required: true}]
    - name: renew
      type: api
      config: {endpoint: "EFFECTS/renew", idempotent: true}
      parameters: [{name: order, type: string, required: true}]
    - name: insist
      type: api
      onUnknown: retry
      config: {endpoint: "EFFECTS/insist"}
      parameters: [{name: order, type: string, required: true}]
    - name: late
      type: api
      onUnknown: retry
      config: {endpoint: "EFFECTS/late"}
      parameters: [{name: order, type: string, required: true}]
    - name: once
      type: api
      onUnknown: fail
      config: {endpoint: "EFFECTS/once"}
      parameters: [{name: order, type: string, required: true}]
"""


EVERY = ("look", "book", "renew", "insist", "once")


def _call(tool: str) -> dict[str, Any]:
    return {"name": tool, "arguments": {"order": "${user.1}"}}


RULES: list[dict[str, Any]] = [
    {
        "name": "looks and books",
        "when": {"user": r"do (\S+)", "after": "none"},
        "reply": {"toolCalls": [_call("look"), _call("book")]},
    },
    {
        "name": "slow",
        "when": {"user": r"slow (\S+)", "after": "none"},
        "reply": {"toolCalls": [_call("book")], "delaySeconds": 2.5},
    },
    {
        "name": "stuck",
        "when": {"user": r"stuck (\S+)", "after": "none"},
        "reply": {"text": "never", "delaySeconds": 60},
    },
    {
        "name": "signs",
        "when": {"user": r"sign (\S+)", "after": "none"},
        "reply": {"toolCalls": [_call("sign")]},
    },
    {
        "name": "all",
        "when": {"user": r"all (\S+)", "after": "none"},
        "reply": {"toolCalls": [_call(tool) for tool in EVERY]},
    },
    {
        "name": "two",
        "when": {"user": r"two (\S+)", "after": "none"},
        "reply": {"toolCalls": [_call("book"), _call("late")]},
    },
    *(
        {
            "name": tool,
            "when": {"user": rf"try {tool} (\S+)", "after": "none"},
            "reply": {"toolCalls": [_call(tool)]},
        }
        for tool in EVERY
    ),
    {"name": "done", "when": {"after": "any"}, "reply": {"text": "All is done."}},
]


@dataclass
class Effects:
    """Counts each order; a GET is no effect."""

    done: Counter[str] = field(default_factory=Counter)
    keys: defaultdict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    """The idempotency keys of the calls of a tool for an order, GETs included."""
    together: dict[str, int] = field(default_factory=dict)
    """Orders whose calls are answered only once so many have come."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def app(self) -> Starlette:
        async def changed(request: Request) -> JSONResponse:
            body = await request.json()
            self.done[body["order"]] += 1
            return await self._answered(request, body["order"])

        async def seen(request: Request) -> JSONResponse:
            return await self._answered(request, request.query_params["order"])

        return Starlette(
            routes=[
                Route("/look", seen, methods=["GET"]),
                Route("/{any}", changed, methods=["POST"]),
            ]
        )

    def calls(self, order: str) -> dict[str, int]:
        """How often each tool was called for an order."""
        return {tool: len(keys) for (tool, of), keys in list(self.keys.items()) if of == order}

    async def _answered(self, request: Request, order: str) -> JSONResponse:
        tool = request.url.path.strip("/")
        with self.lock:
            self.keys[tool, order].append(request.headers.get("idempotency-key", ""))
        while sum(self.calls(order).values()) < self.together.get(order, 0):  # noqa: ASYNC110 # no event
            await asyncio.sleep(0.005)
        if tool == "late":
            await asyncio.sleep(0.3)
        return JSONResponse({tool: order})


@dataclass(frozen=True)
class World:
    """What an agent needs around it."""

    effects: Effects
    model: RunningModel
    name: str
    document: str

    def named(self, name: str) -> str:
        """The document of an agent that differs from this one in nothing but its name."""
        return self.document.replace(self.name, name)

    def environment(self, password_file: Path, **more: str) -> dict[str, str]:
        """Variables of a process, or settings, that serves the agent."""
        return {
            "model_base_url": self.model.base_url,
            "redis_password_file": str(password_file),
            "allowed_hosts": "127.0.0.1",
            "lease_seconds": "1",
            **more,
        }


@contextmanager
def world(name: str, redis_port: int) -> Iterator[World]:
    effects = Effects()
    with serving(effects.app()) as url, scripted_model(RULES) as model:
        document = AGENT.replace("NAME", name).replace("PORT", str(redis_port))
        yield World(effects, model, name, document.replace("EFFECTS", url))


def begin(url: str, text: str, *, key: str | None = None, session: str | None = None) -> str:
    """The id of a task; httpx.TransportError where the process dies meanwhile."""
    headers = {**TENANT, **({"idempotency-key": key} if key else {})}
    body = {"input": text, **({"session_id": session} if session else {})}
    with httpx.Client(trust_env=False, timeout=30) as client:
        answer = client.post(f"{url}/v1/tasks", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def task(url: str, task_id: str) -> dict[str, Any]:
    answer = httpx.get(f"{url}/v1/tasks/{task_id}", headers=TENANT, trust_env=False)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def settled(url: str, task_id: str) -> dict[str, Any]:
    """The task once it neither waits for a worker nor has one."""

    def look() -> dict[str, Any] | None:
        found = task(url, task_id)
        return None if found["state"] in ("queued", "running") else found

    return eventually(look, f"task {task_id} to settle")


def approve(url: str, found: dict[str, Any], decision: str = "approve") -> None:
    for approval in found["approvals"]:
        answer = httpx.post(
            f"{url}/v1/approvals/{approval['id']}",
            json={"decision": decision},
            headers=TENANT,
            trust_env=False,
            timeout=30,
        )
        assert answer.status_code < 300, answer.text
