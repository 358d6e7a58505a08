"""Tools that run code: Monty, an interpreter in a worker process without files or network."""

import asyncio
import json
from typing import Any

from agent_runtime.tools.port import CallContext, ToolResult
from agents.tool import CodeTool

MAX_OUTPUT_CHARACTERS = 16_000
CHECKOUT_SECONDS = 10.0
_MIB = 1024 * 1024


class Sandbox:
    """Runs Python in Monty; the worker starts with the first call and is replaced when it dies."""

    def __init__(self, tool: CodeTool) -> None:
        self._tool = tool
        self._pool: Any = None
        self._starting = asyncio.Lock()

    @property
    def tool(self) -> CodeTool:
        return self._tool

    async def call(self, arguments: dict[str, Any], context: CallContext) -> ToolResult:
        del context
        import pydantic_monty

        pool = await self._workers()
        limits = pydantic_monty.ResourceLimits(
            max_feed_duration_secs=self._tool.timeout_seconds,
            max_memory=self._tool.config.memory_mib * _MIB,
        )
        printed = pydantic_monty.CollectString()
        try:
            async with pool.checkout(limits=limits) as session:
                value = await session.feed_run(str(arguments["code"]), print_callback=printed)
        except (pydantic_monty.MontyError, TimeoutError) as error:
            return ToolResult(_cut(f"{type(error).__name__}: {error}"), error=True)
        result = {"value": _plain(value), "printed": _cut(str(printed.output))}
        return ToolResult(result)

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.__aexit__(None, None, None)
            self._pool = None

    async def _workers(self) -> Any:
        from pydantic_monty import AsyncMonty

        async with self._starting:
            if self._pool is None:
                self._pool = await AsyncMonty(
                    max_processes=2, checkout_timeout=CHECKOUT_SECONDS, max_checkouts_per_worker=50
                ).__aenter__()
        return self._pool


def _plain(value: object) -> object:
    """The value as JSON knows it, or its text; what is too long is cut."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        return _cut(repr(value))
    return value if len(text) <= MAX_OUTPUT_CHARACTERS else _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_OUTPUT_CHARACTERS else text[:MAX_OUTPUT_CHARACTERS] + " [cut]"
