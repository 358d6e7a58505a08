"""OpenAPI documents as tools: only what is allowed, with the document's own schemas."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from agent_runtime.tools.address_guard import AddressGuard
from agent_runtime.tools.arguments import ArgumentsError, checked, schema_of
from agent_runtime.tools.failures import ToolImportError
from agent_runtime.tools.guarded_http import tool_http_client
from agent_runtime.tools.openapi_import import OpenApiImport
from agent_runtime.tools.port import BoundTool, CallContext
from agents.tool import OpenApiTool
from tests.harness.http_server import serving

pytestmark = pytest.mark.services

WHO = CallContext(tenant="acme", user="kim", run_id="run", call_id="call-1")
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://tickets.example/v1"}],
    "paths": {
        "/tickets/{id}": {
            "parameters": [{"$ref": "#/components/parameters/Id"}],
            "get": {
                "operationId": "getTicket",
                "summary": "one ticket",
                "parameters": [
                    {"name": "deep", "in": "query", "schema": {"type": "boolean"}},
                    {"name": "x-trace", "in": "header", "schema": {"type": "string"}},
                ],
            },
            "delete": {"operationId": "deleteTicket"},
        },
        "/tickets": {
            "post": {
                "operationId": "create ticket",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Ticket"}}
                    },
                },
            }
        },
        "/upload": {
            "post": {
                "operationId": "upload",
                "requestBody": {"content": {"multipart/form-data": {"schema": {}}}},
            }
        },
    },
    "components": {
        "parameters": {
            "Id": {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
        },
        "schemas": {
            "Ticket": {
                "type": "object",
                "required": ["title"],
                "properties": {
                    "title": {"type": "string", "maxLength": 10, "description": "in one line"},
                    "parent": {"$ref": "#/components/schemas/Ticket"},
                    "tags": {"type": "array", "items": {"type": "string"}},
                },
            }
        },
    },
}


@asynccontextmanager
async def importer(*operations: str, **config: Any) -> AsyncIterator[OpenApiImport]:
    given = {"operations": list(operations), **config}
    if "document" not in given:
        given = {"inline": DOCUMENT, **given}
    more = given.pop("more", {})
    tool = OpenApiTool.model_validate(
        {"name": "tickets", "type": "openapi", "config": given, **more}
    )
    async with tool_http_client(AddressGuard(["127.0.0.1"])) as http:
        yield OpenApiImport(tool, http=http, secrets_dir=Path("/nowhere"))


async def loaded(*operations: str, **config: Any) -> dict[str, BoundTool]:
    async with importer(*operations, **config) as made:
        return {each.tool.name: each for each in await made.load()}


async def test_allowed_operations_become_tools_with_their_schemas() -> None:
    tools = await loaded("getTicket", "create ticket")
    assert list(tools) == ["tickets_getTicket", "tickets_create_ticket"]
    get, create = (each.tool for each in tools.values())
    assert (get.effect, create.effect) == ("read", "write")
    assert get.description == "one ticket"
    assert schema_of(get)["required"] == ["id"]
    assert list(schema_of(get)["properties"]) == ["id", "deep"]
    assert schema_of(create)["properties"]["title"]["maxLength"] == 10
    with pytest.raises(ArgumentsError, match="too long"):
        checked(create, json.dumps({"title": "x" * 11}))
    with pytest.raises(ArgumentsError, match="unexpected"):
        checked(create, json.dumps({"title": "x", "owner": "me"}))


async def test_a_call_carries_path_query_and_body_as_the_document_says() -> None:
    seen: list[Any] = []

    async def answer(request: Request) -> JSONResponse:
        seen.append((request.method, request.url.path, request.url.query, await request.body()))
        return JSONResponse({"ok": True})

    app = Starlette(routes=[Route("/{any:path}", answer, methods=["GET", "POST"])])
    with serving(app) as url:
        async with importer("getTicket", "create ticket", server=f"{url}/v2/") as made:
            get, create = await made.load()
            await get.call({"id": 7, "deep": True}, WHO)
            await create.call({"title": "x", "tags": ["a"]}, WHO)
    assert seen == [
        ("GET", "/v2/tickets/7", "deep=true", b""),
        ("POST", "/v2/tickets", "", b'{"title": "x", "tags": ["a"]}'),
    ]


@pytest.mark.parametrize(
    ("operation", "change", "said"),
    [
        ("missing", {}, "no operation 'missing'; it has: create ticket"),
        ("upload", {}, "takes no JSON"),
        ("getTicket", {"openapi": "2.0"}, "no OpenAPI 3 document"),
        ("getTicket", {"servers": []}, "names no server"),
        ("getTicket", {"components": {}}, "id"),
        (
            "getTicket",
            {"paths": {"/a": {"get": {"operationId": "getTicket", "parameters": [{"$ref": "x"}]}}}},
            "can't be followed",
        ),
    ],
)
async def test_what_cannot_become_a_tool_is_explained(
    operation: str, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(ToolImportError, match=said):
        await loaded(operation, inline={**DOCUMENT, **change})


async def test_a_document_may_be_a_file_pinned_by_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "tickets.yaml"
    path.write_text(yaml.safe_dump(DOCUMENT))
    digest = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    assert "tickets_getTicket" in await loaded("getTicket", document=str(path), digest=digest)
    path.write_text(yaml.safe_dump({**DOCUMENT, "info": {"title": "changed"}}))
    with pytest.raises(ToolImportError, match="has the digest sha256:"):
        await loaded("getTicket", document=str(path), digest=digest)
    path.write_text("{" * 50)
    with pytest.raises(ToolImportError, match="can't be read"):
        await loaded("getTicket", document=str(path))
    path.write_text("a: &a [1]\nb: *a")
    with pytest.raises(ToolImportError, match="aliases"):
        await loaded("getTicket", document=str(path))


async def test_rules_of_the_document_bind_its_operations() -> None:
    rules = {"requiresApproval": True, "afterUntrusted": "allow", "approval": {"fourEyes": True}}
    tools = await loaded("deleteTicket", more=rules)
    tool = tools["tickets_deleteTicket"].tool
    assert (tool.needs_approval, tool.after_untrusted) == (True, "allow")
    assert tool.approval.four_eyes
