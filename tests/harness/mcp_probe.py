"""`python -m tests.harness.mcp_probe URL`: our MCP client, driven by the conformance suite.

Loads every function that the server offers, and calls each with the numbers that the suite expects.
Where the suite gives a client's secret, the issuer is looked up first: whoever writes a Tool knows
it, and the suite does not tell.
"""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from agent_runtime.tools.address_guard import AddressGuard
from agent_runtime.tools.mcp_server_tool import McpServerTool
from agent_runtime.tools.port import CallContext
from agents.tool import McpTool

WHO = CallContext(tenant="local", user="", run_id="conformance", call_id="1")
FUNCTIONS = ["add_numbers", "test_reconnection", "test_client_elicitation_defaults"]


def issuer_of(url: str) -> str:
    place = urlsplit(url)
    known = f"{place.scheme}://{place.netloc}/.well-known/oauth-protected-resource"
    found = [httpx.get(each, trust_env=False) for each in (f"{known}{place.path}", known)]
    metadata = next(each for each in found if each.status_code == 200).json()
    return str(metadata["authorization_servers"][0])


def document(url: str, secrets: Path) -> McpTool:
    config: dict[str, Any] = {"endpoint": url, "functions": FUNCTIONS, "timeout": "20s"}
    tool: dict[str, Any] = {"name": "probe", "type": "mcp", "config": config}
    given = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))
    if "client_secret" in given:
        config["oauth"] = {"issuer": issuer_of(url), "clientId": given["client_id"]}
        tool["authentication"] = {"secretRef": {"name": "client"}}
        (secrets / "client").mkdir()
        (secrets / "client" / "token").write_text(given["client_secret"])
    return McpTool.model_validate(tool)


async def main(url: str, secrets: Path) -> int:
    """0: every function that the server has gave a result."""
    guard = AddressGuard(["localhost", "127.0.0.1"])
    made = McpServerTool(document(url, secrets), guard=guard, secrets_dir=secrets)
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
    with tempfile.TemporaryDirectory() as folder:
        code = asyncio.run(main(sys.argv[1], Path(folder)))
    sys.exit(code)
