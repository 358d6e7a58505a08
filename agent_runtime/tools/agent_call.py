"""Tools that ask another agent over A2A 1.0 (JSON-RPC)."""

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import httpx

from agent_runtime.secret_file import SecretUnavailableError
from agent_runtime.telemetry.tracing import trace_headers
from agent_runtime.tools.address_guard import ForbiddenAddressError
from agent_runtime.tools.agent_chain import MAX_DEPTH, chain_headers
from agent_runtime.tools.credential import credential, masked
from agent_runtime.tools.guarded_http import limited
from agent_runtime.tools.port import CallContext, ToolResult, TransientToolError
from agents.tool import AgentTool

WIRE_VERSION = "1.0"
_DONE = ("TASK_STATE_COMPLETED", "TASK_STATE_UNSPECIFIED", "")


class AgentCall:
    """Asks one agent and waits for its answer, at most as long as the asking run has left."""

    def __init__(self, tool: AgentTool, *, http: httpx.AsyncClient, secrets_dir: Path) -> None:
        self._tool = tool
        self._http = http
        self._token = credential(tool.authentication, secrets_dir)

    @property
    def tool(self) -> AgentTool:
        return self._tool

    async def call(self, arguments: dict[str, Any], context: CallContext) -> ToolResult:
        if len(context.chain) > MAX_DEPTH:
            text = f"refused: {len(context.chain)} agents asked each other already"
            return ToolResult(text, error=True)
        seconds = context.seconds(self._tool.timeout_seconds)
        try:
            async with asyncio.timeout(seconds):
                return await self._ask(arguments, context, seconds)
        except ForbiddenAddressError as error:
            return ToolResult(f"refused: {error}", error=True)
        except SecretUnavailableError:
            return ToolResult("the tool's credential is not available", error=True)
        except TimeoutError:
            return ToolResult("the other agent did not answer in time", error=True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise TransientToolError(f"{self._tool.name} can't be reached") from None
        except httpx.HTTPError as error:
            text = f"the connection failed ({type(error).__name__}); the other agent may go on"
            return ToolResult(text, error=True)

    async def _ask(
        self, arguments: dict[str, Any], context: CallContext, seconds: float
    ) -> ToolResult:
        headers = {
            "a2a-version": WIRE_VERSION,
            "content-type": "application/json",
            "idempotency-key": context.idempotency_key,
            "x-tenant-id": context.tenant,
            **({"x-user-id": context.user} if context.user else {}),
            **chain_headers(context, seconds),
            **trace_headers(),
        }
        if self._token:
            headers["authorization"] = f"Bearer {self._token.read()}"
        content = json.dumps(_message(arguments, context), ensure_ascii=False).encode()
        endpoint = self._tool.config.endpoint
        request = self._http.build_request("POST", endpoint, content=content, headers=headers)
        response = await self._http.send(request, stream=True)
        try:
            body, whole = await limited(response, self._tool.config.max_response_bytes)
        finally:
            await response.aclose()
        text = masked(body.decode("utf-8", "replace"), self._token)
        if response.status_code != 200 or not whole:
            reason = text[:500] if whole else "the answer is too long"
            return ToolResult(f"status {response.status_code}: {reason}", error=True)
        return _result(text)


def _message(arguments: dict[str, Any], context: CallContext) -> dict[str, Any]:
    rest = {name: value for name, value in arguments.items() if name != "message"}
    parts: list[dict[str, Any]] = [{"text": str(arguments["message"])}]
    if rest:
        parts.append({"data": rest})
    # The same call asks with the same id, so that an agent which remembers ids answers once.
    message_id = str(uuid.uuid5(uuid.NAMESPACE_URL, context.idempotency_key))
    message = {"messageId": message_id, "role": "ROLE_USER", "parts": parts}
    return {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}


def _result(text: str) -> ToolResult:
    try:
        answer = json.loads(text)
        if error := answer.get("error"):
            return ToolResult(f"the other agent refused: {error.get('message')}", error=True)
        return _outcome(answer["result"])
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return ToolResult("the other agent's answer can't be read", error=True)


def _outcome(result: dict[str, Any]) -> ToolResult:
    if "message" in result:
        return ToolResult({"answer": _text(result["message"]["parts"])})
    task = result["task"]
    status = task.get("status") or {}
    said = _text((status.get("message") or {}).get("parts", []))
    state = status.get("state", "")
    if state not in _DONE:
        name = state.removeprefix("TASK_STATE_").lower()
        return ToolResult(f"the other agent's task is {name}: {said[:1000]}", error=True)
    answers = [_text(each.get("parts", [])) for each in task.get("artifacts") or []]
    return ToolResult({"answer": "\n".join(each for each in answers if each) or said})


def _text(parts: list[dict[str, Any]]) -> str:
    return "".join(
        str(part["text"]) if "text" in part else json.dumps(part.get("data"), ensure_ascii=False)
        for part in parts
    )
