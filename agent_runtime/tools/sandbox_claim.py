"""Python in a Sandbox of the node: a Pod of its own for each call, taken from a warm pool.

The claim is a SandboxClaim (extensions.agents.x-k8s.io/v1beta1); what fulfils it, and how well its
Pods are isolated, is the affair of the agent-sandbox controller and of the pool's template. In the
Pod, its runtime answers `POST /execute`.
"""

import asyncio
import ipaddress
import json
import logging
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from agent_runtime.secret_file import SecretUnavailableError
from agent_runtime.tools.cluster_access import ClusterAccess
from agent_runtime.tools.guarded_http import CONNECT_SECONDS, limited
from agent_runtime.tools.port import CallContext, ToolResult
from agents.tool import CodeTool, SandboxPool

API_VERSION = "extensions.agents.x-k8s.io/v1beta1"
MAX_OUTPUT_CHARACTERS = 16_000
MAX_ANSWER_BYTES = 1_048_576
LEFT_BEHIND_SECONDS = 60
"""Beyond the call's own end, after which the controller takes away what a dead process left."""
POLL_SECONDS = 0.1
DELETE_SECONDS = 10.0
PATIENT = httpx.Timeout(None, connect=CONNECT_SECONDS)
"""The call's own limit ends it."""

_log = logging.getLogger(__name__)


class _NoSandboxError(Exception):
    """Why there is no Pod to run in; told to the model."""


class SandboxClaimCall:
    """Runs Python in a Pod that nobody used before and nobody uses after."""

    def __init__(self, tool: CodeTool, pool: SandboxPool, access: ClusterAccess) -> None:
        self._tool = tool
        self._pool = pool
        self._access = access
        self._cluster: httpx.AsyncClient | None = None
        self._returning: set[asyncio.Task[None]] = set()

    @property
    def tool(self) -> CodeTool:
        return self._tool

    async def call(self, arguments: dict[str, Any], context: CallContext) -> ToolResult:
        waiting = context.seconds(self._pool.wait_seconds)
        try:
            async with self._claimed(context, waiting) as address:
                return await self._run(address, str(arguments["code"]), context)
        except (_NoSandboxError, SecretUnavailableError, httpx.HTTPError, ValueError) as error:
            _log.warning("no sandbox", extra={"fields": {"reason": str(error)[:300]}})
            why = str(error) if isinstance(error, _NoSandboxError) else "it can't be asked for"
            return ToolResult(f"no sandbox: {why}", error=True, degraded="sandbox")

    async def close(self) -> None:
        if self._returning:
            await asyncio.wait(self._returning)
        if self._cluster is not None:
            await self._cluster.aclose()
            self._cluster = None

    @asynccontextmanager
    async def _claimed(self, context: CallContext, seconds: float) -> AsyncIterator[str]:
        """The address of a Pod while the block runs. Raises _NoSandboxError and httpx.HTTPError."""
        made = await self._asked("POST", self._path, _claim(self._tool, self._pool, context))
        name = str(made["metadata"]["name"])
        try:
            yield await self._ready(name, seconds)
        finally:
            # a call that is cut off, however often, gives its Pod back too
            returning = asyncio.create_task(self._given_back(name))
            self._returning.add(returning)
            returning.add_done_callback(self._returning.discard)
            await asyncio.shield(returning)

    async def _ready(self, name: str, seconds: float) -> str:
        state: dict[str, Any] = {}
        try:
            async with asyncio.timeout(seconds):
                while True:
                    state = (await self._asked("GET", f"{self._path}/{name}")).get("status") or {}
                    addresses = (state.get("sandbox") or {}).get("podIPs") or []
                    if addresses and _condition(state).get("status") == "True":
                        return str(ipaddress.ip_address(addresses[0]))
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            known = _condition(state)
            why = f"{known.get('reason', '')} {known.get('message', '')}".strip()
            text = f"none was ready within {seconds:.0f} s"
            raise _NoSandboxError(f"{text} ({why[:300]})" if why else text) from None

    async def _run(self, address: str, code: str, context: CallContext) -> ToolResult:
        host = f"[{address}]" if ":" in address else address
        body = {"command": f"python3 -c {shlex.quote(code)}"}
        try:
            async with (
                asyncio.timeout(context.seconds(self._tool.timeout_seconds)),
                httpx.AsyncClient(trust_env=False, timeout=PATIENT) as pod,
                pod.stream("POST", f"http://{host}:{self._pool.port}/execute", json=body) as given,
            ):
                content, whole = await limited(given, MAX_ANSWER_BYTES)
                given.raise_for_status()
        except TimeoutError:
            return ToolResult(f"no answer within {self._tool.config.timeout}", error=True)
        if not whole:
            return ToolResult("the code printed too much", error=True)
        told = json.loads(content)
        result = {
            "printed": _cut(str(told["stdout"])),
            "errors": _cut(str(told["stderr"])),
            "exit": int(told["exit_code"]),
        }
        failed = result["exit"] != 0
        return ToolResult(json.dumps(result) if failed else result, error=failed)

    async def _given_back(self, name: str) -> None:
        try:
            async with asyncio.timeout(DELETE_SECONDS):
                await self._asked("DELETE", f"{self._path}/{name}")
        except (httpx.HTTPError, SecretUnavailableError, TimeoutError, ValueError) as error:
            # the claim's own end takes it away a little later
            fields = {"claim": name, "reason": type(error).__name__}
            _log.warning("sandbox not given back", extra={"fields": fields})

    async def _asked(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        if self._cluster is None:
            self._cluster = self._access.client(httpx.Timeout(10))
        answer = await self._cluster.request(
            method, path, json=body, headers=self._access.headers()
        )
        if answer.status_code == 404 and method == "POST":
            raise _NoSandboxError("the cluster has no SandboxClaims")
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    @property
    def _path(self) -> str:
        return f"/apis/{API_VERSION}/namespaces/{self._access.namespace}/sandboxclaims"


def _claim(tool: CodeTool, pool: SandboxPool, context: CallContext) -> dict[str, Any]:
    seconds = pool.wait_seconds + tool.timeout_seconds + LEFT_BEHIND_SECONDS
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    return {
        "apiVersion": API_VERSION,
        "kind": "SandboxClaim",
        "metadata": {
            "generateName": f"{tool.name[:40]}-",
            "labels": {"app.kubernetes.io/managed-by": "agent-runtime"},
            "annotations": {
                "agentic.dev/tenant": context.tenant,
                "agentic.dev/run": context.run_id,
            },
        },
        "spec": {
            "warmPoolRef": {"name": pool.warm_pool},
            "lifecycle": {
                "shutdownTime": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "shutdownPolicy": "Delete",
            },
        },
    }


def _condition(status: dict[str, Any]) -> dict[str, Any]:
    return next((each for each in status.get("conditions") or [] if each["type"] == "Ready"), {})


def _cut(text: str) -> str:
    return text if len(text) <= MAX_OUTPUT_CHARACTERS else text[:MAX_OUTPUT_CHARACTERS] + " [cut]"
