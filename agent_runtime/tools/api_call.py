"""Tools that call a REST API."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from agent_runtime.secret_file import SecretFile, SecretUnavailableError
from agent_runtime.telemetry.tracing import trace_headers
from agent_runtime.tools.address_guard import AddressGuard, ForbiddenAddressError, PinnedAddress
from agent_runtime.tools.port import CallContext, ToolResult, TransientToolError
from agents.tool import ApiTool

CONNECT_SECONDS = 5.0
_WITHOUT_BODY = ("GET", "DELETE")


class ApiCall:
    """One REST endpoint. It never follows a redirect, and connects only where the guard lets it."""

    def __init__(
        self, tool: ApiTool, *, guard: AddressGuard, http: httpx.AsyncClient, secrets_dir: Path
    ) -> None:
        self._tool = tool
        self._guard = guard
        self._http = http
        self._token: SecretFile | None = None
        if tool.authentication:
            reference = tool.authentication.secret_ref
            self._token = SecretFile(secrets_dir / reference.name / reference.key)

    @property
    def tool(self) -> ApiTool:
        return self._tool

    async def call(self, arguments: dict[str, Any], context: CallContext) -> ToolResult:
        try:
            url, query, body = self._mapped(arguments)
            pinned = await self._guard.check(url)
            request = self._request(url, pinned, query, body, context)
            async with asyncio.timeout(self._tool.timeout_seconds):
                return await self._answer(request)
        except ForbiddenAddressError as error:
            return ToolResult(f"refused: {error}", error=True)
        except SecretUnavailableError:
            return ToolResult("the tool's credential is not available", error=True)
        except TimeoutError:
            return ToolResult(f"no answer within {self._tool.config.timeout}", error=True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise TransientToolError(f"{self._tool.name} can't be reached") from None
        except httpx.HTTPError as error:
            return self._broken(f"the connection failed ({type(error).__name__})")

    async def _answer(self, request: httpx.Request) -> ToolResult:
        response = await self._http.send(request, stream=True, follow_redirects=False)
        try:
            text, whole = await self._limited(response)
        finally:
            await response.aclose()
        status = response.status_code
        if 200 <= status < 300:
            return ToolResult(_value(text) if whole else {"text": text, "cut": True})
        if status in (502, 503, 504):
            return self._broken(f"status {status}: {text[:500]}")
        return ToolResult(f"status {status}: {text[:2000]}", error=True)

    def _broken(self, reason: str) -> ToolResult:
        """A failure after which it is unknown whether the call had an effect."""
        if self._tool.effect == "read":
            raise TransientToolError(reason)
        return ToolResult(f"{reason}; whether it took effect is unknown", error=True)

    async def _limited(self, response: httpx.Response) -> tuple[str, bool]:
        """The body as text up to the tool's limit, and whether that was all of it."""
        limit = self._tool.config.max_response_bytes
        body = bytearray()
        async for part in response.aiter_bytes():
            body += part
            if len(body) > limit:
                return body[:limit].decode("utf-8", "replace"), False
        return body.decode("utf-8", "replace"), True

    def _mapped(self, arguments: dict[str, Any]) -> tuple[str, dict[str, str], dict[str, Any]]:
        """The arguments as URL, query and body."""
        url = self._tool.config.endpoint
        query: dict[str, str] = {}
        body: dict[str, Any] = {}
        places = {each.name: each.location for each in self._tool.parameters or ()}
        for name, value in arguments.items():
            place = places.get(name) or self._default_place(name)
            if place == "path":
                url = url.replace(f"{{{name}}}", _segment(name, value))
            elif place == "query":
                query[name] = _text(value)
            else:
                body[name] = value
        return url, query, body

    def _default_place(self, name: str) -> str:
        if f"{{{name}}}" in self._tool.config.endpoint:
            return "path"
        return "query" if self._tool.config.method in _WITHOUT_BODY else "body"

    def _request(
        self,
        url: str,
        pinned: PinnedAddress,
        query: dict[str, str],
        body: dict[str, Any],
        context: CallContext,
    ) -> httpx.Request:
        """A request to the checked address that still names the host, to the server and to TLS."""
        method = self._tool.config.method
        target = httpx.URL(url)
        headers = {
            "host": target.netloc.decode("ascii"),
            "accept": "application/json",
            **trace_headers(),
        }
        if self._tool.effect != "read":
            headers["idempotency-key"] = f"{context.run_id}:{context.call_id}"
        if self._token:
            headers["authorization"] = f"Bearer {self._token.read()}"
        content = None
        if method not in _WITHOUT_BODY:
            content = json.dumps(body, ensure_ascii=False).encode()
            headers["content-type"] = "application/json"
        return self._http.build_request(
            method,
            target.copy_with(host=pinned.address).copy_merge_params(query),
            content=content,
            headers=headers,
            extensions={"sni_hostname": pinned.host},
        )


def tool_http_client() -> httpx.AsyncClient:
    """The client of all api tools; proxies from the environment would go around the guard."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(None, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
        trust_env=False,
    )


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
