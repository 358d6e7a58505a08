"""An agent that verifies tokens itself: every surface refuses the same, in its own words."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.harness.agent import RunningAgent, serving_agent
from tests.harness.http_server import serving
from tests.harness.scripted_model import scripted_model
from tests.harness.workload import eventually

pytestmark = pytest.mark.services

ISSUER, AUDIENCE = "https://issuer.local", "agents"
KEY, FOREIGN = (ECKey.generate_key("P-256", {"kid": kid, "alg": "ES256"}) for kid in ("a", "b"))
AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: helper}
spec:
  model: {name: scripted}
  tools:
    - name: calculate
      type: code
      requiresApproval: true
      approval: {role: approver, fourEyes: true}
"""
RULES = [
    {
        "name": "calculates",
        "when": {"user": "calculate", "after": "none"},
        "reply": {"toolCalls": [{"name": "calculate", "arguments": {"code": "6*7"}}]},
    },
    {"name": "reports", "when": {"after": "calculate"}, "reply": {"text": "Done."}},
    {"name": "greets", "reply": {"text": "Hello"}},
]
MESSAGE = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hello"}]}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        "model": "helper",
        "messages": [{"role": "user", "content": "hello"}],
    },
    "/v1/responses": {"input": "hello"},
    "/v1/tasks": {"input": "hello"},
    "/": {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": MESSAGE}},
}


@pytest.fixture(scope="module")
def agent() -> Iterator[RunningAgent]:
    async def keys(request: Request) -> JSONResponse:
        return JSONResponse(KeySet([KEY]).as_dict(private=False))

    with (
        serving(Starlette(routes=[Route("/keys", keys)])) as issuer,
        scripted_model(RULES) as model,
        serving_agent(
            AGENT,
            model_base_url=model.base_url,
            auth="jwt",
            jwks_url=f"{issuer}/keys",
            jwt_issuer=ISSUER,
            jwt_audience=AUDIENCE,
        ) as running,
    ):
        yield running


def token(key: ECKey = KEY, **changed: Any) -> dict[str, str]:
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": int(time.time()) + 60,
        "sub": "kim",
        "tenant": "acme",
        **changed,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    text = jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key, algorithms=["ES256"])
    return {"authorization": f"Bearer {text}", "A2A-Version": "1.0"}


def post(agent: RunningAgent, path: str, body: Any, headers: dict[str, str]) -> httpx.Response:
    return httpx.post(f"{agent.url}{path}", json=body, headers=headers, timeout=60)


@pytest.mark.parametrize("path", list(BODIES))
def test_a_good_token_is_let_in_and_bad_ones_are_told_in_the_callers_protocol(
    agent: RunningAgent, path: str
) -> None:
    assert post(agent, path, BODIES[path], token()).status_code in (200, 202)
    expired = token(exp=int(time.time()) - 3600)
    for headers in (expired, token(FOREIGN), token(aud="others"), {"x-tenant-id": "acme"}):
        refused = post(agent, path, BODIES[path], headers)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        told = refused.json()
        assert (told.get("error") or told)["code"] == "unauthorized"
        assert json.dumps(told).count("eyJ") == 0, "no part of a token is repeated"
    assert post(agent, path, BODIES[path], token(tenant=None)).status_code == 403


def test_the_tenant_is_the_tokens_whatever_headers_say(agent: RunningAgent) -> None:
    task = post(agent, "/v1/tasks", {"input": "hello"}, token()).json()
    url = f"{agent.base_url}/tasks/{task['id']}"
    rival = token(tenant="rival") | {"x-tenant-id": "acme"}
    assert httpx.get(url, headers=rival, timeout=60).status_code == 404
    assert httpx.get(url, headers=token(), timeout=60).status_code == 200


def test_an_approval_takes_the_role_and_a_second_person(agent: RunningAgent) -> None:
    begun = post(agent, "/v1/tasks", {"input": "calculate"}, token()).json()
    url = f"{agent.base_url}/tasks/{begun['id']}"

    def waiting() -> dict[str, Any] | None:
        shown = dict(httpx.get(url, headers=token(), timeout=60).json())
        return shown if shown["state"] == "waiting_input" else None

    (approval,) = eventually(waiting, "the task to wait")["approvals"]
    path, yes = f"/v1/approvals/{approval['id']}", {"decision": "approve"}
    for who in (token(sub="lee"), token(roles=["approver"]), token(sub=None, roles=["approver"])):
        refused = post(agent, path, yes, who)
        assert (refused.status_code, refused.json()["code"]) == (403, "approval_forbidden")
        through = post(
            agent, f"/v1/tasks/{begun['id']}/input", {"answers": {approval["id"]: yes}}, who
        )
        assert through.status_code == 403, "no other way in"
    assert post(agent, path, yes, token(sub="lee", roles=["approver"])).status_code == 200

    def ended() -> dict[str, Any] | None:
        shown = dict(httpx.get(url, headers=token(), timeout=60).json())
        return shown if shown["state"] == "completed" else None

    assert eventually(ended, "the task to end")["output"]["text"] == "Done."
    trail = httpx.get(f"{agent.base_url}/approvals/audit", headers=token(), timeout=60).json()
    told = [each["event"] for each in trail["data"] if each["approval"] == approval["id"]]
    assert told[0] == "asked"
    assert told.count("refused") == 6
    assert told[-2:] == ["approved", "used"]
