"""Who may ask: the real Envoy in front of a real backend."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from components.gateway_config import GatewayConfig, JwtConfig
from inference.routing import AgentRoute, Backend, ModelRoute, RouteTable
from tests.components.gateway_fixture import (
    AUDIENCE,
    ISSUER,
    KEYS,
    Platform,
    jwks,
    platform,
    signing_key,
    token,
)
from tests.harness.http_server import serving

pytestmark = pytest.mark.services


def _routes(ports: dict[str, int]) -> RouteTable:
    backend = Backend(service="model", port=ports["model"])
    return RouteTable(
        models=(
            ModelRoute(name="gpt-4", backends=(backend,)),
            ModelRoute(name="claude-3", backends=(backend,), tenants=("platform",)),
        ),
        agents=(
            AgentRoute(
                name="helper", service="agent", port=ports["agent"], tenants=("demo", "platform")
            ),
        ),
    )


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder: Path = tmp_path_factory.mktemp("gateway")
    with platform(_routes, ("model", "agent"), folder) as running:
        yield running


ASK = {"model": "gpt-4", "messages": []}


@pytest.mark.parametrize("tenant", ["demo", "platform"])
def test_a_known_key_passes_and_tells_the_backend_its_tenant(
    gateway: Platform, tenant: str
) -> None:
    answer = gateway.post(ASK, key=KEYS[tenant])
    assert answer.status_code == 200, answer.text
    headers = gateway.backends["model"].requests[-1]["headers"]
    assert headers["x-tenant-id"] == tenant
    assert "authorization" not in headers, "a backend has no use for a tenant's key"


@pytest.mark.parametrize(
    "credentials",
    [
        None,
        "Bearer",
        "Bearer sk-wrong",
        "Bearer " + KEYS["demo"] + "x",
        "Bearer " + KEYS["demo"][:-1],
        "Basic " + KEYS["demo"],
        KEYS["demo"],
        "Bearer " + "k" * 5000,
        "Bearer a.b.c",
    ],
)
def test_everybody_else_is_refused_in_openai_form(
    gateway: Platform, credentials: str | None
) -> None:
    asked = len(gateway.backends["model"].requests)
    headers = {"authorization": credentials} if credentials else {}
    answer = httpx.post(f"{gateway.envoy.url}/v1/chat/completions", json=ASK, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert error["code"] == "invalid_api_key"
    assert error["message"].endswith(
        "Send 'Authorization: Bearer' with an API key or a token of your tenant."
    )
    assert "{" not in error["message"]
    assert len(gateway.backends["model"].requests) == asked, "a stranger reached the backend"


def test_a_right_token_passes_with_its_tenant_and_user(gateway: Platform) -> None:
    answer = gateway.post(ASK, key=token())
    assert answer.status_code == 200, answer.text
    headers = gateway.backends["model"].requests[-1]["headers"]
    assert (headers["x-tenant-id"], headers["x-user-id"]) == ("demo", "user@demo")
    assert "authorization" not in headers


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("expired", {"exp": int(time.time()) - 3600}),
        ("never expires", {"exp": None}),
        ("wrong audience", {"aud": "others"}),
        ("no audience", {"aud": None}),
        ("wrong issuer", {"iss": "https://elsewhere"}),
        ("wrong signature", {"key": signing_key("wrong")}),
        ("no tenant", {"tenant": None}),
        ("empty tenant", {"tenant": ""}),
        ("several tenants", {"tenant": ["demo", "platform"]}),
        ("two tenants in one", {"tenant": "demo,platform"}),
        ("a tenant with a line end", {"tenant": "demo\r\nx-user-id: root"}),
        ("a tenant that is an object", {"tenant": {"name": "demo"}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_token_is_refused(gateway: Platform, name: str, changes: dict[str, Any]) -> None:
    answer = gateway.post(ASK, key=token(**changes))
    # A proven token with a tenant that is none is known, but may nothing: 403.
    known = name.startswith(("two tenants", "several tenants", "a tenant "))
    assert answer.status_code == (403 if known else 401), answer.text
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["code"] == ("permission_denied" if known else "invalid_api_key")


def test_a_refused_token_tells_why(gateway: Platform) -> None:
    message = gateway.post(ASK, key=token(aud="others")).json()["error"]["message"]
    assert message.startswith("The token was refused: Audiences in Jwt are not allowed.")


def test_an_unsigned_token_is_refused(gateway: Platform) -> None:
    head, body, _ = token().split(".")
    assert gateway.post(ASK, key=f"{head}.{body}.").status_code == 401


@pytest.mark.parametrize("credentials", [KEYS["demo"], "token"])
def test_identity_headers_of_a_client_are_worthless(gateway: Platform, credentials: str) -> None:
    key = token() if credentials == "token" else credentials
    answer = gateway.post(ASK, key=key, x_tenant_id="platform", x_user_id="root")
    assert answer.status_code == 200, answer.text
    headers = gateway.backends["model"].requests[-1]["headers"]
    assert headers["x-tenant-id"] == "demo"
    assert headers.get("x-user-id") in (None, "user@demo")


def test_a_spoofed_tenant_alone_opens_nothing(gateway: Platform) -> None:
    assert gateway.post(ASK, key=None, x_tenant_id="platform").status_code == 401


def test_a_model_is_closed_to_tenants_that_its_route_does_not_name(gateway: Platform) -> None:
    refused = gateway.post({"model": "claude-3"}, key=KEYS["demo"])
    assert refused.status_code == 403
    message = refused.json()["error"]["message"]
    assert "claude-3" in message
    assert "demo" in message
    assert gateway.post({"model": "claude-3"}, key=KEYS["platform"]).status_code == 200


def test_the_list_of_models_is_what_the_tenant_may_use(gateway: Platform) -> None:
    def listed(tenant: str) -> list[str]:
        answer = httpx.get(
            f"{gateway.envoy.url}/v1/models", headers={"authorization": f"Bearer {KEYS[tenant]}"}
        )
        assert answer.headers["content-type"] == "application/json"
        return [model["id"] for model in answer.json()["data"]]

    assert listed("demo") == ["gpt-4", "helper"]
    assert listed("platform") == ["gpt-4", "claude-3", "helper"]
    assert httpx.get(f"{gateway.envoy.url}/v1/models").status_code == 401


def test_an_unknown_model_is_404_and_names_it_and_the_allowed_ones(gateway: Platform) -> None:
    answer = gateway.post({"model": "gpt-5"})
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert error["code"] == "model_not_found"
    assert error["message"].startswith("model 'gpt-5': ")
    assert "gpt-4, helper" in error["message"]
    assert "claude-3" not in error["message"], "another tenant's model is nobody's business"


def test_a_hostile_name_of_an_unknown_model_is_cut_and_stays_text(gateway: Platform) -> None:
    answer = gateway.post({}, x_model_id='"}, {"x": "%TRACE_ID%' + "x" * 5000)
    assert answer.status_code == 404
    assert list(answer.json()) == ["error"]
    message = answer.json()["error"]["message"]
    assert message.startswith('model \'"}, {"x": "%TRACE_ID%x')
    assert "x" * 128 not in message


def test_an_unknown_path_is_404_and_no_unknown_model(gateway: Platform) -> None:
    error = gateway.post({"model": "gpt-4"}, path="/v2/chat/completions").json()["error"]
    assert error["code"] == "unknown_url"
    assert "/v1" in error["message"]


def test_health_needs_no_key_and_leaves_no_log_line(gateway: Platform) -> None:
    assert httpx.get(f"{gateway.envoy.url}/healthz").status_code == 200
    answer = gateway.post(ASK)
    gateway.envoy.logged(answer.headers["x-request-id"])
    assert not [line for line in gateway.envoy.access_log() if line["path"] == "/healthz"]


def test_no_key_stands_in_the_log_or_in_the_dump_of_the_configuration(gateway: Platform) -> None:
    answer = gateway.post(ASK)
    gateway.envoy.logged(answer.headers["x-request-id"])
    dump = gateway.envoy.admin("GET", "/config_dump").text
    for text in (dump, "\n".join(gateway.envoy.lines)):
        for key in KEYS.values():
            assert key not in text


def test_the_pods_address_shows_metrics_and_nothing_of_the_configuration(gateway: Platform) -> None:
    status = gateway.envoy.status_url
    assert "envoy_cluster_upstream_rq" in httpx.get(f"{status}/metrics").text
    for path in ("/config_dump", "/server_info", "/", "/metrics/../config_dump", "/quitquitquit"):
        assert httpx.get(f"{status}{path}").status_code == 404, path
    assert httpx.post(f"{status}/metrics").status_code == 404


def test_the_agent_is_reached_by_name_and_over_a2a(gateway: Platform) -> None:
    assert gateway.post({"model": "helper"}).json()["backend"] == "agent"
    for path, expected in (
        ("/a2a/helper/.well-known/agent-card.json", "/.well-known/agent-card.json"),
        ("/a2a/helper/", "/"),
        ("/a2a/helper", "/"),
    ):
        assert gateway.post({}, path=path).json()["backend"] == "agent"
        assert gateway.backends["agent"].requests[-1]["path"] == expected
    assert gateway.post({}, path="/a2a/helper-two/").status_code == 404
    assert gateway.post({}, path="/a2a/helper/..%2f..%2fv1/x").status_code in (400, 404)


def test_a_body_that_is_no_json_is_asked_for_a_model(gateway: Platform) -> None:
    for content in (b"{", b"[]", json.dumps({"model": {"a": 1}}).encode(), b'{"model": "a\\nb"}'):
        answer = httpx.post(
            f"{gateway.envoy.url}/v1/chat/completions",
            content=content,
            headers={
                "authorization": f"Bearer {KEYS['demo']}",
                "content-type": "application/json",
            },
        )
        assert answer.status_code == 400, (content, answer.text)
        assert "x-model-id" in answer.json()["error"]["message"]


def test_the_keys_of_an_issuer_are_fetched_from_it(tmp_path: Path) -> None:
    asked: list[str] = []

    async def keys(request: Request) -> Response:
        asked.append(request.url.path)
        return Response(jwks(), media_type="application/json")

    with serving(Starlette(routes=[Route("/keys", keys)])) as issuer:
        port = issuer.rpartition(":")[2]
        host = "issuer.ai-gateway.svc.cluster.local"
        remote = JwtConfig(issuer=ISSUER, audience=AUDIENCE, jwks_url=f"http://{host}:{port}/keys")
        config = GatewayConfig(variant="envoy", jwt=remote, rate_limit=None)
        services = ("model", "agent", "issuer")
        with platform(_routes, services, tmp_path, config=config) as fetching:
            assert fetching.post(ASK, key=token()).status_code == 200
            refused = fetching.post(ASK, key=token(key=signing_key("wrong")))
            assert refused.status_code == 401
            assert fetching.post(ASK).status_code == 200, "an API key works beside"
    assert asked == ["/keys"]
