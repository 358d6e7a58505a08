"""`python -m tests.harness.mcp_probe URL`: our MCP client, driven by the conformance suite.

Loads every function that the server offers, and calls each with the numbers that the suite expects.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from agent_runtime.tools.address_guard import AddressGuard
from agent_runtime.tools.mcp_server_tool import McpServerTool
from agent_runtime.tools.port import CallContext
from agents.tool import McpTool

WHO = CallContext(tenant="local", user="", run_id="conformance", call_id="1")
FUNCTIONS = ["add_numbers", "test_reconnection", "test_client_elicitation_defaults"]


async def main(url: str) -> int:
    """0: every function that the server has gave a result."""
    config = {"endpoint": url, "functions": FUNCTIONS, "timeout": "20s"}
    tool = McpTool.model_validate({"name": "probe", "type": "mcp", "config": config})
    guard = AddressGuard(["localhost", "127.0.0.1"])
    made = McpServerTool(tool, guard=guard, secrets_dir=Path("/nowhere"))
    failed = 0
    try:
        offered = await made._connection.functions()
        if not offered:
            return 0
        for each in await made.load():
            given: dict[str, Any] = {"a": 5, "b": 3} if "numbers" in each.tool.name else {}
            result = await each.call(given, WHO)
            sys.stdout.write(f"{each.tool.name}: {result.value}\n")
            failed += result.error
    finally:
        await made.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
