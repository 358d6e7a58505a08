"""Tools that answer SQL: SQLite over declared tables, in a process of its own without rights."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from agent_runtime.tools.port import CallContext, ToolResult
from agents.tool import CodeTool

MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_OUTPUT_BYTES = 65_536
START_SECONDS = 5.0
"""What starting the process may take beside the query's own time."""
_WORKER = Path(__file__).with_name("sql_worker.py")


class SqlQuery:
    """Runs one statement that reads; each call has a fresh process and fresh tables."""

    def __init__(self, tool: CodeTool) -> None:
        self._tool = tool

    @property
    def tool(self) -> CodeTool:
        return self._tool

    async def call(self, arguments: dict[str, Any], context: CallContext) -> ToolResult:
        config = self._tool.config
        try:
            tables = await asyncio.to_thread(self._tables)
        except (OSError, UnicodeDecodeError, ValueError) as error:
            return ToolResult(f"the tables can't be read ({type(error).__name__})", error=True)
        seconds = context.seconds(self._tool.timeout_seconds)
        order = {
            "sql": str(arguments["code"]),
            "tables": tables,
            "seconds": seconds,
            "memory_mib": config.memory_mib,
            "max_rows": config.max_rows,
            "max_bytes": MAX_OUTPUT_BYTES,
        }
        return await _run(json.dumps(order).encode(), seconds + START_SECONDS)

    def _tables(self) -> dict[str, str]:
        """The text of each table; ValueError for a file that is too long."""
        found: dict[str, str] = {}
        for name, table in self._tool.config.tables.items():
            if table.csv is not None:
                found[name] = table.csv
                continue
            path = Path(str(table.file))
            if path.stat().st_size > MAX_FILE_BYTES:
                raise ValueError(f"{path.name} is longer than {MAX_FILE_BYTES} bytes")
            found[name] = path.read_text(encoding="utf-8")
        return found


async def _run(order: bytes, seconds: float) -> ToolResult:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-B", str(_WORKER)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate(order)
    except TimeoutError:
        return ToolResult("the query did not end in time", error=True)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        answer = json.loads(output)
    except ValueError:
        return ToolResult("the query used more memory or time than it may", error=True)
    if "error" in answer:
        return ToolResult(answer["error"], error=True)
    return ToolResult(answer)
