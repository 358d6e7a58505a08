"""Tools that call a REST API."""

import asyncio
import json
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from agent_runtime.secret_file import SecretUnavailableError
from agent_runtime.telemetry.tracing import trace_headers
from agent_runtime.tools.address_guard import ForbiddenAddressError
from agent_runtime.tools.credential import credential, masked
from agent_runtime.tools.guarded_http import GuardedClient, following, limited, same_host
from agent_runtime.tools.port import CallContext, ToolResult, TransientToolError
from agent_runtime.wire import Answer
from agents.json_path import select
from agents.tool import ApiTool

_WITHOUT_BODY = ("GET", "DELETE")
_AGAIN = (429, 502, 503, 504)
_ALWAYS = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "user-agent": "agent-runtime",
}


class ApiCall:
    """One REST endpoint. It connects only where the guard lets it, and follows redirects only as
    far as the document says, for calls that only read."""

    def __init__(self, tool: ApiTool, *, http: GuardedClient, secrets_dir: Path) -> None:
        self._tool = tool
        self._http = http
        self._token = credential(tool.authentication, secrets_dir)

    @property
    def tool(self) -> ApiTool:
        return self._tool

    async def call(self, arguments: dict[str, Any], context: CallContext) -> ToolResult:
        try:
            async with asyncio.timeout(context.seconds(self._tool.timeout_seconds)):
                return await self._answer(arguments, context)
        except ForbiddenAddressError as error:
            return ToolResult(f"refused: {error}", error=True)
        except SecretUnavailableError:
            return ToolResult("the tool's credential is not available", error=True)
        except TimeoutError:
            return ToolResult(f"no answer within {self._tool.config.timeout}", error=True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise TransientToolError(f"{self._tool.name} can't be reached") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return self._broken(f"the connection failed ({type(error).__name__})")

    async def _answer(self, arguments: dict[str, Any], context: CallContext) -> ToolResult:
        address, query, body = self._mapped(arguments)
        url = _parsed(address)
        if query:
            url = url.copy_merge_params(query)
        content = b""
        if self._tool.config.method not in _WITHOUT_BODY:
            content = json.dumps(body, ensure_ascii=False).encode()

        async def send(target: httpx.URL) -> Answer:
            headers = self._headers(context, first=same_host(target, url))
            return await self._http.exchange(self._tool.config.method, target, headers, content)

        hops = self._tool.config.max_redirects if self._tool.effect == "read" else 0
        response = await following(send, url, hops)
        try:
            answer, whole = await limited(response, self._tool.config.max_response_bytes)
        finally:
            await response.aclose()
        text = masked(answer.decode("utf-8", "replace"), self._token)
        status = response.status_code
        if 200 <= status < 300:
            return self._result(text, whole=whole)
        if status in _AGAIN:
            return self._broken(f"status {status}: {text[:500]}")
        return ToolResult(f"status {status}: {text[:2000]}", error=True)

    def _result(self, text: str, *, whole: bool) -> ToolResult:
        path = self._tool.config.select
        if not whole:
            if path:
                return ToolResult("the answer is too long to select from", error=True)
            return ToolResult({"text": text, "cut": True})
        value = _value(text)
        return ToolResult(select(path, value) if path else value)

    def _broken(self, reason: str) -> ToolResult:
        """A failure after which it is unknown whether the call had an effect."""
        if self._tool.idempotent:
            raise TransientToolError(reason)
        return ToolResult(f"{reason}; whether it took effect is unknown", error=True)

    def _mapped(self, arguments: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """The arguments as URL, query and body."""
        url = self._tool.config.endpoint
        query: dict[str, Any] = {}
        body: dict[str, Any] = {}
        places = {each.name: each.location for each in self._tool.parameters or ()}
        for name, value in arguments.items():
            place = places.get(name) or self._default_place(name)
            if place == "path":
                url = url.replace(f"{{{name}}}", _segment(name, value))
            elif place == "query":
                many = isinstance(value, list) and all(
                    not isinstance(x, list | dict) for x in value
                )
                query[name] = [_text(each) for each in value] if many else _text(value)
            else:
                body[name] = value
        return url, query, body

    def _default_place(self, name: str) -> str:
        if f"{{{name}}}" in self._tool.config.endpoint:
            return "path"
        return "query" if self._tool.config.method in _WITHOUT_BODY else "body"

    def _headers(self, context: CallContext, *, first: bool) -> dict[str, str]:
        headers = {**_ALWAYS, **trace_headers(), "idempotency-key": context.idempotency_key}
        if self._token and first:
            headers["authorization"] = f"Bearer {self._token.read()}"
        if self._tool.config.method not in _WITHOUT_BODY:
            headers["content-type"] = "application/json"
        return headers


@lru_cache(maxsize=256)
def _parsed(address: str) -> httpx.URL:
    return httpx.URL(address)


def _segment(name: str, value: object) -> str:
    """One path segment; a dot segment would leave the declared path."""
    text = _text(value)
    if text in ("", ".", ".."):
        raise ForbiddenAddressError(f"{name}={text!r} is no path segment")
    return quote(text, safe="")


def _value(text: str) -> Any:
    """The body as JSON where it is JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
