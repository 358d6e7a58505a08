"""The last resort: hosted APIs behind the real Envoy, each played by a real HTTP server."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from components.envoy_bootstrap import bootstrap, render
from components.gateway_config import GatewayConfig
from inference.provider import HostedModel, Provider
from inference.routing import AgentRoute, Backend, McpRoute, ModelRoute, RouteTable
from tests.components.gateway_fixture import KEYS, Platform, platform
from tests.harness.envoy import validation_error

SERVICES = ("own", "first", "second", "tools", "grpc")


def _routes(ports: dict[str, int]) -> RouteTable:
    own = Backend(service="own", port=ports["own"])
    hosted = (
        HostedModel(provider="first", model="vendor.big-1:0"),
        HostedModel(provider="second", model="small"),
    )
    return RouteTable(
        models=(
            ModelRoute(name="gpt-4", backends=(own,), hosted=hosted),
            ModelRoute(name="quick", strategy="latency", backends=(own,), hosted=hosted[1:]),
        ),
        agents=(AgentRoute(name="helper", service="own", port=ports["own"]),),
        servers=(
            McpRoute(name="weather", service="tools", port=ports["tools"], path="/servers/mcp"),
            McpRoute(name="closed", service="tools", port=ports["tools"], tenants=("platform",)),
        ),
        providers={
            "first": Provider(host="first.example.com", port=ports["first"], tls=False, key="k"),
            "second": Provider(
                host="second.example.com",
                port=ports["second"],
                tls=False,
                base_path="/openai/v1",
                key="k",
            ),
        },
    )


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Platform]:
    with platform(_routes, SERVICES, tmp_path) as running:
        yield running


HOSTILE = {
    "messages": [{"content": 'say "model": "gpt-4" and \\"model\\": 1', "model": "mine"}],
    "tools": [{"function": {"model": "gpt-4"}}],
    "model": "gpt-4",
    "n": 1,
}


@pytest.mark.services
def test_the_own_backend_sees_the_request_as_the_client_wrote_it(gateway: Platform) -> None:
    assert gateway.post(HOSTILE).json()["backend"] == "own"
    seen = gateway.backends["own"].requests[-1]
    assert (seen["path"], json.loads(seen["body"])) == ("/v1/chat/completions", HOSTILE)
    assert not gateway.backends["first"].requests


@pytest.mark.services
@pytest.mark.parametrize("failure", ["dead", "503", "429"])
def test_a_failing_platform_is_replaced_by_the_hosted_model(
    gateway: Platform, failure: str
) -> None:
    if failure == "dead":
        gateway.kill("own")
    else:
        gateway.backends["own"].status = int(failure)
    answer = gateway.post(HOSTILE)
    assert answer.json()["backend"] == "first", answer.text
    seen = gateway.backends["first"].requests[-1]
    assert seen["path"] == "/v1/chat/completions"
    assert json.loads(seen["body"]) == HOSTILE | {"model": "vendor.big-1:0"}
    headers = seen["headers"]
    assert headers["authorization"] == "Bearer sk-first"
    assert headers["host"] == "first.example.com"
    assert "x-tenant-id" not in headers
    assert int(headers["content-length"]) == len(seen["body"])


@pytest.mark.services
def test_the_order_of_hosted_models_is_the_order_of_the_list(gateway: Platform) -> None:
    gateway.kill("own")
    gateway.backends["first"].status = 500
    for _ in range(10):
        assert gateway.post({"model": "gpt-4"}).json()["backend"] == "second"
    seen = gateway.backends["second"].requests[-1]
    assert (seen["path"], json.loads(seen["body"])["model"]) == (
        "/openai/v1/chat/completions",
        "small",
    )
    assert seen["headers"]["authorization"] == "Bearer sk-second"
    assert gateway.post({"model": "quick"}).json()["backend"] == "second"


@pytest.mark.services
def test_a_stream_comes_from_the_hosted_model_as_it_is_made(gateway: Platform) -> None:
    gateway.kill("own")
    headers = {"authorization": f"Bearer {KEYS['demo']}"}
    url, body = f"{gateway.envoy.url}/v1/chat/completions", {"model": "gpt-4", "stream": True}
    with httpx.stream("POST", url, json=body, headers=headers, timeout=60) as answer:
        lines = answer.iter_lines()
        assert '"backend": "first"' in next(lines)
        assert not gateway.backends["first"].gate.is_set()
        gateway.backends["first"].gate.set()
        assert "data: [DONE]" in list(lines)


@pytest.mark.services
def test_an_mcp_server_is_reached_by_its_path_and_closed_to_others(gateway: Platform) -> None:
    for path, expected in (
        ("/mcp/weather", "/servers/mcp"),
        ("/mcp/weather/sse", "/servers/mcp/sse"),
    ):
        answer = gateway.post({"method": "tools/list"}, path=path)
        assert answer.json()["backend"] == "tools", answer.text
        assert gateway.backends["tools"].requests[-1]["path"] == expected
    assert gateway.post({}, path="/mcp/closed").status_code == 403
    assert gateway.post({}, path="/mcp/closed", key=KEYS["platform"]).status_code == 200
    assert gateway.post({}, path="/mcp/unknown").status_code == 404


@pytest.mark.services
def test_envoy_takes_bedrock_and_a_remote_key_set_without_a_warning(tmp_path: Path) -> None:
    routes = RouteTable(
        models=(
            ModelRoute(
                name="gpt-4",
                backends=(Backend(service="own"),),
                hosted=(HostedModel(provider="aws", model="openai.gpt-oss-120b-1:0"),),
            ),
        ),
        agents=(AgentRoute(name="helper", grpc_port=9000),),
        providers={"aws": Provider(kind="bedrock", region="us-west-2", key="k")},
    )
    config = GatewayConfig.model_validate(
        {
            "variant": "envoy",
            "jwt": {
                "issuer": "https://idp.example.com",
                "audience": "agents",
                "jwksUrl": "https://idp.example.com/keys",
            },
            "limits": {"rules": [{"per": "month", "tokens": 5}, {"per": "day", "requests": 9}]},
        }
    )
    document = bootstrap(config, routes, api_keys={}, provider_keys={"aws": "abc"})
    assert validation_error(render(document), tmp_path) == ""
    text = render(document)
    assert "bedrock-runtime.us-west-2.amazonaws.com" in text
    assert "/openai/v1" in text
