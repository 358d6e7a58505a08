"""The MCP conformance suite, unmodified: our client, and the registry as a server.

What is expected to fail stands with its reason in mcp_conformance.yaml; the suite fails too when
one of those passes. The other scenarios auth/* are left out: they are about a person who logs in at
a browser, or about keys in place of secrets.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mcp_types as wire
import pytest
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from local.paths import Cache
from tests.agent_runtime.test_tools_mcp import tool_server
from tests.harness.http_server import serving

pytestmark = [pytest.mark.services, pytest.mark.slow]

PICTURE = wire.ImageContent(
    type="image",
    mime_type="image/png",
    data="iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
)
SOUND = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
CHECKOUT = Path(__file__).resolve().parent.parent.parent
EXPECTED = Path(__file__).with_name("mcp_conformance.yaml")
SUITE, NODE = "@modelcontextprotocol/conformance@0.1.16", "22.23.3"
BRIDGE = """
apiVersion: kagent.dev/v1alpha1
kind: Tool
metadata: {name: test}
spec:
  type: mcp
  sideEffect: read
  config:
    endpoint: "%s/mcp"
    functions:
      - simple_text
      - error_handling
      - image_content
      - audio_content
      - embedded_resource
      - multiple_content_types
      - tool_with_progress
      - {name: elicitation, requiresApproval: true}
"""


@pytest.fixture(scope="module")
def suite() -> list[str]:
    """The command of the suite, installed once into the cache; it needs Node 22."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not on PATH: the MCP conformance suite is a package of npm")
    folder = Cache.default().root / "mcp-conformance" / SUITE.rpartition("@")[2]
    machine = {"x86_64": "x64", "aarch64": "arm64"}[platform.machine()]
    program = folder / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
    node = folder / f"node_modules/node-linux-{machine}/bin/node"
    if not (program.is_file() and node.is_file()):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text("{}")
        wanted = [SUITE, f"node-linux-{machine}@{NODE}"]
        quiet = ("--no-audit", "--no-fund", "--ignore-scripts")
        done = subprocess.run(
            [npm, "install", *quiet, *wanted],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            pytest.skip(f"npm can't install the suite: {done.stderr.strip().splitlines()[-1:]}")
    return [str(node), str(program)]


def resource(text: str, kind: str) -> wire.EmbeddedResource:
    found = wire.TextResourceContents(uri="test://embedded-resource", mime_type=kind, text=text)
    return wire.EmbeddedResource(type="resource", resource=found)


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    """The registry as the suite needs it: its tools come from a server behind it."""
    behind = MCPServer("behind")

    @behind.tool(name="simple_text", description="answers with text")
    def simple_text() -> str:
        return "This is a simple text response for testing."

    @behind.tool(name="error_handling", description="fails")
    def error_handling() -> str:
        raise ToolError("This tool intentionally returns an error for testing")

    @behind.tool(name="image_content", description="answers with a picture")
    def image_content() -> wire.ImageContent:
        return PICTURE

    @behind.tool(name="audio_content", description="answers with sound")
    def audio_content() -> wire.AudioContent:
        return wire.AudioContent(type="audio", data=SOUND, mime_type="audio/wav")

    @behind.tool(name="embedded_resource", description="answers with a resource")
    def embedded_resource() -> wire.EmbeddedResource:
        return resource("This is an embedded resource content.", "text/plain")

    @behind.tool(name="multiple_content_types", description="answers with all kinds")
    def multiple_content_types() -> list[Any]:
        text = wire.TextContent(type="text", text="Multiple content types test:")
        return [text, PICTURE, resource('{"test": "data", "value": 123}', "application/json")]

    @behind.tool(name="tool_with_progress", description="tells how far it is")
    async def tool_with_progress(context: Context) -> str:
        for part in (0, 50, 100):
            await context.report_progress(part, 100, f"{part} of 100")
        return "done"

    @behind.tool(name="elicitation", description="is only called once a person agrees")
    def elicitation(message: str) -> str:
        return f"agreed: {message}"

    with (
        serving(behind.streamable_http_app()) as url,
        # the suite's client speaks the wire of 2025, whose servers ask within a session
        tool_server(BRIDGE % url, auth="none", mcp_sessions=True) as running,
    ):
        yield running.replace("127.0.0.1", "localhost")


def run(suite: list[str], *arguments: str) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "NO_COLOR": "1"}
    done = subprocess.run(
        [*suite, *arguments, "--expected-failures", str(EXPECTED)],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "scenario",
    [
        "initialize",
        "tools_call",
        "sse-retry",
        "elicitation-sep1034-client-defaults",
        "auth/client-credentials-basic",
    ],
)
def test_our_client_passes_the_suite(suite: list[str], scenario: str) -> None:
    command = f"{sys.executable} -m tests.harness.mcp_probe"
    code, said = run(suite, "client", "--command", command, "--scenario", scenario)
    assert code == 0, said[-3000:]


def test_the_registry_passes_the_suite_but_for_what_is_explained(
    suite: list[str], registry: str
) -> None:
    code, said = run(suite, "server", "--url", f"{registry}/mcp")
    assert code == 0, said[-2500:]
