"""MCP tools that prove who calls by OAuth: the secret goes to the named issuer, and nowhere else.

The MCP server and its check of tokens are the SDK's; the authorization server is a small one, here.
"""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from pydantic import AnyHttpUrl, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent_runtime.tools.address_guard import AddressGuard
from agent_runtime.tools.failures import ToolImportError
from agent_runtime.tools.mcp_server_tool import McpServerTool
from agent_runtime.tools.port import CallContext
from agents.tool import McpTool
from tests.harness.http_server import serving
from tests.harness.workload import free_port

pytestmark = pytest.mark.services

WHO = CallContext(tenant="acme", user="kim", run_id="run", call_id="call-1")
SECRET = "secret-of-the-client"
TOKEN = "token-of-the-issuer"


@dataclass
class Issuer:
    """Gives one token to one client."""

    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)

    def app(self) -> Starlette:
        async def metadata(request: Request) -> Response:
            del request
            return JSONResponse(
                {
                    "issuer": f"{self.url}/",
                    "authorization_endpoint": f"{self.url}/authorize",
                    "token_endpoint": f"{self.url}/token",
                    "response_types_supported": ["code"],
                    "grant_types_supported": ["client_credentials"],
                    "token_endpoint_auth_methods_supported": ["client_secret_basic"],
                }
            )

        async def token(request: Request) -> Response:
            form = {name: str(value) for name, value in (await request.form()).items()}
            kind, _, proof = request.headers.get("authorization", "").partition(" ")
            form["client"] = base64.b64decode(proof).decode() if kind == "Basic" else ""
            self.asked.append(form)
            if form["client"] != f"agents:{SECRET}":
                return JSONResponse({"error": "invalid_client"}, 401)
            return JSONResponse({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 600})

        return Starlette(
            routes=[
                Route("/.well-known/oauth-authorization-server", metadata),
                Route("/token", token, methods=["POST"]),
            ]
        )


def guarded(issuer: str, port: int) -> Starlette:
    """An MCP server that wants tokens of an issuer, and echoes what it should keep to itself."""
    place = AnyHttpUrl(f"http://127.0.0.1:{port}/mcp")
    settings = AuthSettings(
        issuer_url=AnyHttpUrl(issuer), resource_server_url=place, validate_token_resource=True
    )
    server_of = str(place)

    class OneToken:
        """The server's check of tokens."""

        async def verify_token(self, token: str) -> AccessToken | None:
            if token != TOKEN:
                return None
            return AccessToken(token=token, client_id="agents", scopes=[], resource=server_of)

    server = MCPServer("guarded", auth=settings, token_verifier=OneToken())

    @server.tool(name="echo", description="tells too much")
    def echo() -> dict[str, Any]:
        return {"seen": f"{TOKEN} and {SECRET}"}

    return server.streamable_http_app(stateless_http=True)


@asynccontextmanager
async def tool(
    port: int, issuer: str, secrets: Path, secret: str = SECRET
) -> AsyncIterator[McpServerTool]:
    (secrets / "client").mkdir()
    (secrets / "client" / "token").write_text(secret)
    config = {
        "endpoint": f"http://127.0.0.1:{port}/mcp",
        "functions": ["echo"],
        "oauth": {"issuer": issuer, "clientId": "agents"},
    }
    document = McpTool.model_validate(
        {
            "name": "far",
            "type": "mcp",
            "config": config,
            "authentication": {"secretRef": {"name": "client"}},
        }
    )
    made = McpServerTool(document, guard=AddressGuard(["127.0.0.1"]), secrets_dir=secrets)
    try:
        yield made
    finally:
        await made.close()


async def test_a_token_of_the_issuer_opens_the_server_and_is_hidden_from_the_model(
    tmp_path: Path,
) -> None:
    issuer, port = Issuer(), free_port()
    with serving(issuer.app()) as issuer.url, serving(guarded(issuer.url, port), port=port):
        async with tool(port, f"{issuer.url}/", tmp_path) as made:
            (echo,) = await made.load()
            first, second = [await echo.call({}, WHO) for _ in range(2)]
    assert first.value == second.value == {"seen": "[redacted] and [redacted]"}
    (asked,) = issuer.asked
    assert asked["grant_type"] == "client_credentials"
    assert asked["resource"] == f"http://127.0.0.1:{port}/mcp"


async def test_a_server_that_names_another_issuer_gets_no_secret_there(tmp_path: Path) -> None:
    rogue, port = Issuer(), free_port()
    with serving(rogue.app()) as rogue.url, serving(guarded(rogue.url, port), port=port):
        async with tool(port, "https://issuer.example", tmp_path) as made:
            with pytest.raises(ToolImportError):
                await made.load()
    assert rogue.asked == []


async def test_a_secret_that_the_issuer_does_not_know_is_an_error(tmp_path: Path) -> None:
    issuer, port = Issuer(), free_port()
    with serving(issuer.app()) as issuer.url, serving(guarded(issuer.url, port), port=port):
        async with tool(port, f"{issuer.url}/", tmp_path, "another") as made:
            with pytest.raises(ToolImportError) as caught:
                await made.load()
    assert "another" not in str(caught.value)
    assert issuer.asked


def test_a_client_without_a_secret_is_refused() -> None:
    config = {
        "endpoint": "https://tools.example/mcp",
        "functions": ["echo"],
        "oauth": {"issuer": "https://issuer.example", "clientId": "agents"},
    }
    with pytest.raises(ValidationError, match="needs authentication"):
        McpTool.model_validate({"name": "far", "type": "mcp", "config": config})
