"""A connection to an MCP server that comes back after the server forgot it."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from agent_runtime.secret_file import SecretFile
from agent_runtime.telemetry.tracing import trace_headers
from agent_runtime.tools.address_guard import AddressGuard, ForbiddenAddressError
from agent_runtime.tools.guarded_http import CONNECT_SECONDS
from agent_runtime.tools.mcp_login import McpLogin
from agent_runtime.tools.port import Progress

SESSION_HEADER = "mcp-session-id"
CLOSE_SECONDS = 2.0
MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_TOOLS = 500

_log = logging.getLogger(__name__)


class UnreachableError(Exception):
    """The server can't be talked to; `sent` tells whether a call may have reached it."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class _Transport(httpx2.AsyncBaseTransport):
    """The guard for the SDK's own HTTP library; notices when the server forgot the session."""

    def __init__(self, guard: AddressGuard, token: SecretFile | None) -> None:
        self._guard = guard
        self._token = token
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False)
        self.forgotten = False
        self.refusal = ""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            pinned = await self._guard.check(str(request.url))
        except ForbiddenAddressError as error:
            self.refusal = str(error)
            raise httpx2.ConnectError(str(error)) from None
        headers = request.headers.copy()
        headers["host"] = request.url.netloc.decode("ascii")
        headers.update(trace_headers())
        if self._token:
            headers["authorization"] = f"Bearer {self._token.read()}"
        moved = httpx2.Request(
            request.method,
            request.url.copy_with(host=pinned.address),
            headers=headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": pinned.host},
        )
        response = await self._inner.handle_async_request(moved)
        if response.status_code == 404 and SESSION_HEADER in request.headers:
            self.forgotten = True
        if int(response.headers.get("content-length", "0")) > MAX_ANSWER_BYTES:
            await response.aclose()
            raise httpx2.ReadError("the answer is too long")
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class McpConnection:
    """One session with one server. Made with the first call, made anew after the server ended it.

    The SDK's client must be entered and left by the same task, so a task of its own holds it.
    """

    def __init__(self, url: str, guard: AddressGuard, login: McpLogin) -> None:
        self._url = url
        self._guard = guard
        self._login = login
        self._opening = asyncio.Lock()
        self._holder: asyncio.Task[None] | None = None
        self._client: Client | None = None
        self._transport: _Transport | None = None
        self._leave = asyncio.Event()

    async def functions(self) -> list[Any]:
        """Everything that the server offers. Raises UnreachableError."""

        async def listed(client: Client) -> list[Any]:
            found: list[Any] = []
            cursor: str | None = None
            while True:
                page = await client.list_tools(cursor=cursor)
                found += page.tools
                cursor = page.next_cursor
                if not cursor or len(found) > MAX_TOOLS:
                    return found[:MAX_TOOLS]

        result: list[Any] = await self._asked(listed)
        return result

    async def call(
        self, name: str, arguments: dict[str, Any], progress: Progress | None = None
    ) -> Any:
        """The server's CallToolResult. Raises UnreachableError and MCPError."""

        async def called(client: Client) -> Any:
            return await client.call_tool(name, arguments, progress_callback=progress)

        return await self._asked(called)

    async def close(self) -> None:
        async with self._opening:
            await self._close()

    async def _asked(self, ask: Callable[[Client], Any]) -> Any:
        """Ask; once more over a new session if the server said that it knows the old one no more,
        since it then did nothing."""
        for again in (False, True):
            client = await self._open()
            transport = self._transport
            try:
                return await ask(client)
            except MCPError as error:
                if transport is None or not transport.forgotten:
                    raise
                if again:
                    raise UnreachableError(
                        f"the session ended twice: {error}", sent=False
                    ) from None
                await self.close()
            except (httpx2.HTTPError, OSError, RuntimeError) as error:
                await self.close()
                raise UnreachableError(type(error).__name__, sent=True) from None
        raise AssertionError("the loop returns or raises")

    async def _open(self) -> Client:
        async with self._opening:
            if self._client is not None and self._holder is not None and not self._holder.done():
                return self._client
            await self._close()
            self._leave = asyncio.Event()
            ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
            self._transport = _Transport(self._guard, self._login.bearer)
            held = self._hold(ready, self._transport, self._login.flow(), self._leave)
            self._holder = asyncio.create_task(held)
            try:
                self._client = await ready
            except BaseException:
                await self._close()
                raise
            return self._client

    async def _hold(
        self,
        ready: asyncio.Future[Client],
        transport: _Transport,
        login: httpx2.Auth | None,
        leave: asyncio.Event,
    ) -> None:
        try:
            async with _client(self._url, transport, login) as client:
                if not ready.done():
                    ready.set_result(client)
                await leave.wait()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 # the SDK groups whatever went wrong
            reason = transport.refusal or _reason(error)
            if not ready.done():
                ready.set_exception(UnreachableError(reason, sent=False))
            else:
                _log.info("connection ended", extra={"fields": {"reason": reason}})

    async def _close(self) -> None:
        holder, self._holder, self._client = self._holder, None, None
        if holder is None:
            return
        self._leave.set()
        await asyncio.wait([holder], timeout=CLOSE_SECONDS)
        if not holder.done():
            holder.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await holder


@asynccontextmanager
async def _client(
    url: str, transport: _Transport, login: httpx2.Auth | None
) -> AsyncIterator[Client]:
    timeout = httpx2.Timeout(None, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS)
    async with httpx2.AsyncClient(
        transport=transport, auth=login, timeout=timeout, trust_env=False, follow_redirects=False
    ) as http:
        stream = streamable_http_client(url, http_client=http, max_sse_event_size=MAX_ANSWER_BYTES)
        async with Client(stream, cache=None) as client:
            yield client


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"[:300]
