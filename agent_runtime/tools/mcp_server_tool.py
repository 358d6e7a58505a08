"""Tools whose functions stand at an MCP server."""

import asyncio
import base64
import hashlib
import json
import logging
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from mcp.shared.exceptions import MCPError

from agent_runtime.secret_file import SecretUnavailableError
from agent_runtime.tools.address_guard import AddressGuard
from agent_runtime.tools.credential import credential
from agent_runtime.tools.failures import ToolImportError
from agent_runtime.tools.mcp_connection import McpConnection, UnreachableError
from agent_runtime.tools.mcp_login import McpLogin
from agent_runtime.tools.port import BoundTool, CallContext, ToolResult, TransientToolError
from agents.remote_tool import McpFunction
from agents.tool import McpFunctionTool, McpTool

MAX_SCHEMA_CHARACTERS = 32_768
MAX_DESCRIPTION_CHARACTERS = 2000
_log = logging.getLogger(__name__)


class McpServerTool:
    """The allowed functions of one server, as the server described them at first."""

    def __init__(self, tool: McpTool, *, guard: AddressGuard, secrets_dir: Path) -> None:
        self._tool = tool
        secret = credential(tool.authentication, secrets_dir)
        self._login = McpLogin(tool.config.endpoint, secret, tool.config.oauth)
        self._connection = McpConnection(tool.config.endpoint, guard, self._login)

    async def load(self) -> list[BoundTool]:
        """Raises ToolImportError."""
        try:
            offered = {each.name: each for each in await self._connection.functions()}
        except (UnreachableError, MCPError, SecretUnavailableError) as error:
            raise ToolImportError(f"{self._tool.name}: {error}") from None
        found: list[BoundTool] = []
        for wanted in self._tool.config.functions:
            given = offered.get(wanted.name)
            why_not = _unusable(wanted, given)
            if given is None or why_not:
                fields = {"tool": self._tool.name, "function": wanted.name, "reason": why_not}
                _log.warning("function not offered", extra={"fields": fields})
                continue
            function = self._function(wanted, given)
            found.append(McpFunctionCall(function, self._connection, self._login))
        if not found:
            raise ToolImportError(f"{self._tool.name}: the server has none of the functions")
        return found

    async def close(self) -> None:
        await self._connection.close()

    def _function(self, wanted: McpFunction, given: Any) -> McpFunctionTool:
        config = self._tool.config
        shared = ("approval", "trusted", "after_untrusted", "on_unknown")
        return McpFunctionTool(
            name=re.sub(r"[^A-Za-z0-9_-]", "_", f"{self._tool.name}_{wanted.name}")[:64],
            function=wanted.name,
            description=(given.description or "")[:MAX_DESCRIPTION_CHARACTERS],
            input_schema=_without_patterns(given.input_schema),
            timeout=config.timeout,
            max_response_bytes=config.max_response_bytes,
            side_effect=self._tool.side_effect or wanted.side_effect,
            requires_approval=self._tool.requires_approval or wanted.requires_approval,
            **{name: getattr(self._tool, name) for name in shared},
        )


class McpFunctionCall:
    """One function of a server."""

    def __init__(self, tool: McpFunctionTool, connection: McpConnection, login: McpLogin) -> None:
        self._tool = tool
        self._connection = connection
        self._login = login

    @property
    def tool(self) -> McpFunctionTool:
        return self._tool

    async def call(self, arguments: dict[str, Any], context: CallContext) -> ToolResult:
        seconds = context.seconds(self._tool.timeout_seconds)
        try:
            async with asyncio.timeout(seconds):
                answer = await self._connection.call(
                    self._tool.function, arguments, context.progress
                )
        except TimeoutError:
            # What hangs once would hang for the next call too.
            await self._connection.close()
            return ToolResult("no answer in time", error=True)
        except SecretUnavailableError:
            return ToolResult("the tool's credential is not available", error=True)
        except MCPError as error:
            return ToolResult(f"the server refused: {str(error)[:1000]}", error=True)
        except UnreachableError as error:
            if not error.sent or self._tool.idempotent:
                raise TransientToolError(f"{self._tool.name} can't be reached: {error}") from None
            text = f"the connection failed ({error}); whether it took effect is unknown"
            return ToolResult(text, error=True)
        return self._result(answer)

    def _result(self, answer: Any) -> ToolResult:
        """Text and data of the answer; pictures and sound are only named."""
        value = answer.structured_content
        if value is None:
            parts = [_part(each) for each in answer.content]
            value = parts[0] if len(parts) == 1 else parts
        text, limit = self._login.hidden(json.dumps(value, ensure_ascii=False)), self._limit
        value = json.loads(text)
        if len(text.encode()) > limit:
            value = {"text": text[:limit], "cut": True}
        if answer.is_error:
            return ToolResult(value if isinstance(value, str) else text[:limit], error=True)
        return ToolResult(value, content=self._blocks(answer))

    def _blocks(self, answer: Any) -> list[dict[str, Any]]:
        """The answer for clients that take more than text; none where text is all there is, or
        where it is too long."""
        if all(part.type == "text" for part in answer.content):
            return []
        parts = [part.model_dump(mode="json", by_alias=True) for part in answer.content]
        text = self._login.hidden(json.dumps(parts, ensure_ascii=False))
        blocks: list[dict[str, Any]] = json.loads(text)
        return blocks if len(text.encode()) <= self._limit else []

    @property
    def _limit(self) -> int:
        return self._tool.max_response_bytes


def schema_hash(given: Any) -> str:
    """What an author pins: everything about a function that a model reads."""
    text = json.dumps([given.name, given.description, given.input_schema], sort_keys=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _unusable(wanted: McpFunction, given: Any) -> str:
    """Why a function is not offered to the model; empty: it is."""
    if given is None:
        return "the server has no such function"
    found = schema_hash(given)
    if wanted.schema_hash not in (None, found):
        return f"its description has changed; the hash is {found} now"
    if len(json.dumps(given.input_schema)) > MAX_SCHEMA_CHARACTERS:
        return "its input schema is too long"
    if given.input_schema.get("type", "object") != "object":
        return "its input is no object"
    try:
        Draft202012Validator.check_schema(given.input_schema)
    except (SchemaError, RecursionError) as error:
        return f"its input schema is none: {getattr(error, 'message', error)}"[:300]
    return ""


def _without_patterns(schema: Any) -> Any:
    """The schema less its regular expressions: one made for it could keep the matcher busy for
    hours, and the server checks them itself."""
    if isinstance(schema, dict):
        return {
            key: _without_patterns(value)
            for key, value in schema.items()
            if key != "patternProperties" and not (key == "pattern" and isinstance(value, str))
        }
    return [_without_patterns(each) for each in schema] if isinstance(schema, list) else schema


def _part(part: Any) -> Any:
    if part.type == "text":
        return part.text
    if part.type == "resource" and hasattr(part.resource, "text"):
        return {"uri": str(part.resource.uri), "text": part.resource.text}
    if part.type == "resource_link":
        return {"uri": str(part.uri), "title": part.name}
    data = getattr(part, "data", "")
    size = len(base64.b64decode(data)) if isinstance(data, str) else 0
    return {"type": part.type, "mimeType": getattr(part, "mime_type", ""), "bytes": size}
