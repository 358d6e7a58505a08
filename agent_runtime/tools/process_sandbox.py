"""Tools that run code in CPython: a process for each call, which the kernel confines."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from agent_runtime.tools.port import CallContext, ToolResult
from agents.tool import CodeTool

MAX_ANSWER_BYTES = 262_144
MAX_PROCESSES = 2
START_SECONDS = 5.0
"""What starting the process may take beside the code's own time."""
_WORKER = Path(__file__).with_name("code_worker.py")


class ProcessSandbox:
    """Runs Python with its standard library of computing; what it needs is said in code_worker."""

    def __init__(self, tool: CodeTool, *, worker: tuple[str, ...] = (str(_WORKER),)) -> None:
        self._tool = tool
        self._worker = worker
        self._room = asyncio.Semaphore(MAX_PROCESSES)

    @property
    def tool(self) -> CodeTool:
        return self._tool

    async def call(self, arguments: dict[str, Any], context: CallContext) -> ToolResult:
        seconds = context.seconds(self._tool.timeout_seconds)
        order = {
            "code": str(arguments["code"]),
            "seconds": seconds,
            "memory_mib": self._tool.config.memory_mib,
        }
        async with self._room:
            output = await self._output(json.dumps(order).encode(), seconds + START_SECONDS)
        if output is None:
            return ToolResult("the code did not end in time", error=True)
        try:
            answer = json.loads(output)
        except ValueError:
            text = "the code used more memory or time than it may, or wrote too much"
            return ToolResult(text, error=True)
        if not isinstance(answer, dict) or answer.get("refused"):
            refused = answer.get("refused") if isinstance(answer, dict) else "no answer"
            return ToolResult(f"the sandbox is not available here: {refused}", error=True)
        if "error" in answer:
            return ToolResult(str(answer["error"]), error=True)
        return ToolResult(answer)

    async def _output(self, order: bytes, seconds: float) -> bytes | None:
        """What the process wrote, at most MAX_ANSWER_BYTES and one more; None: not in time."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-B", *self._worker),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
        )
        assert process.stdin  # noqa: S101 # a pipe was asked for
        assert process.stdout  # noqa: S101 # the same
        output = b""
        try:
            async with asyncio.timeout(seconds):
                process.stdin.write(order)
                process.stdin.close()
                while len(output) <= MAX_ANSWER_BYTES and (
                    piece := await process.stdout.read(65_536)
                ):
                    output += piece
        except TimeoutError:
            return None
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
        return output
