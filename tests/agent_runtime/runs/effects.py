"""An agent with one tool of each kind, and the server that counts what the tools did."""

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
    - name: once
      type: api
      onUnknown: fail
      config: {endpoint: "EFFECTS/once"}
      parameters: [{name: order, type: string, required: true}]
"""


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
        "name": "signs",
        "when": {"user": r"sign (\S+)", "after": "none"},
        "reply": {"toolCalls": [_call("sign")]},
    },
    *(
        {
            "name": tool,
            "when": {"user": rf"try {tool} (\S+)", "after": "none"},
            "reply": {"toolCalls": [_call(tool)]},
        }
        for tool in ("look", "book", "renew", "insist", "once")
    ),
    {"name": "done", "when": {"after": "any"}, "reply": {"text": "All is done."}},
]


@dataclass
class Effects:
    """Counts each order; a GET is no effect."""

    done: Counter[str] = field(default_factory=Counter)
    keys: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The idempotency keys of an order's calls, GETs included."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def app(self) -> Starlette:
        async def changed(request: Request) -> JSONResponse:
            body = await request.json()
            with self.lock:
                self.done[body["order"]] += 1
                self.keys[body["order"]].append(request.headers["idempotency-key"])
            return JSONResponse({"booked": body["order"]})

        async def seen(request: Request) -> JSONResponse:
            order = request.query_params["order"]
            with self.lock:
                self.keys[order].append(request.headers.get("idempotency-key", ""))
            return JSONResponse({"order": order})

        return Starlette(
            routes=[
                Route("/look", seen, methods=["GET"]),
                Route("/{any}", changed, methods=["POST"]),
            ]
        )


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


def begin(url: str, text: str, *, key: str | None = None) -> str:
    """The id of a task; httpx.TransportError where the process dies meanwhile."""
    headers = {**TENANT, **({"idempotency-key": key} if key else {})}
    with httpx.Client(trust_env=False, timeout=30) as client:
        answer = client.post(f"{url}/v1/tasks", json={"input": text}, headers=headers)
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
