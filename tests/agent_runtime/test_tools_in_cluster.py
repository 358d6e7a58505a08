"""An edited Tool object reaches processes that run: an agent, and the registry's MCP server.

Both watch a real API server with a token of the account and Role that the stack gives them.
"""

import base64
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import yaml
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from components.tool_registry import definition_manifest, watcher_manifests
from components.tool_server import NAME as TOOL_SERVER
from local.kube import KubeClient
from local.paths import CHECKOUT
from tests.agent_runtime.pods import pod
from tests.harness.api_server import ApiServer, token_of
from tests.harness.scripted_model import RunningModel, scripted_model
from tests.harness.workload import environment, eventually, free_port

pytestmark = pytest.mark.services

NAMESPACE = "followed-tools"
AGENT_NAME = "follower"
AGENT = f"""
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {{name: {AGENT_NAME}, namespace: {NAMESPACE}}}
spec: {{model: {{name: scripted}}, tools: [search]}}
"""
CALLER = {"x-tenant-id": "acme", "x-user-id": "kim"}
HELLO = {"model": "follower", "messages": [{"role": "user", "content": "hello"}]}


def search(words: str) -> dict[str, Any]:
    return {
        "apiVersion": "tools.kagent.dev/v1alpha1",
        "kind": "Tool",
        "metadata": {"name": "search", "namespace": NAMESPACE},
        "spec": {
            "type": "api",
            "description": words,
            "config": {"endpoint": "https://search.example/api", "method": "GET"},
        },
    }


@pytest.fixture(scope="module")
def cluster(api_server: ApiServer) -> KubeClient:
    """The kind, the accounts and their right to follow it."""
    client = api_server.client
    client.apply(definition_manifest())
    client.wait(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        definition_manifest()["metadata"]["name"],
        until=lambda it: "Established" in str((it or {}).get("status")),
    )
    api_server.namespace(NAMESPACE)
    accounts = (AGENT_NAME, TOOL_SERVER)
    for name in accounts:
        metadata = {"name": name, "namespace": NAMESPACE}
        client.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    for manifest in watcher_manifests(accounts, namespace=NAMESPACE):
        client.apply(manifest)
    return client


def watching(api_server: ApiServer, account: str, folder: Path) -> dict[str, str]:
    """The variables that the stack renders, with files where its Pods have volumes."""
    found = yaml.safe_load(api_server.kubeconfig.read_text())["clusters"][0]["cluster"]
    token, authority = folder / "token", folder / "ca.crt"
    authority.write_bytes(base64.b64decode(found["certificate-authority-data"]))
    token.write_text(token_of(api_server.client, account, NAMESPACE))
    return {
        "AGENT_NAMESPACE": NAMESPACE,
        "AGENT_TOOL_WATCH": "cluster",
        "AGENT_KUBERNETES_URL": found["server"],
        "AGENT_KUBERNETES_TOKEN_FILE": str(token),
        "AGENT_KUBERNETES_CA_FILE": str(authority),
    }


@pytest.fixture(scope="module")
def model() -> Iterator[RunningModel]:
    with scripted_model([{"name": "greets", "reply": {"text": "Hello"}}]) as running:
        yield running


def told(url: str, model: RunningModel) -> str:
    """How the tool is described to the model in the agent's next answer."""
    answer = httpx.post(f"{url}/v1/chat/completions", json=HELLO, headers=CALLER, timeout=30)
    answer.raise_for_status()
    (function,) = model.requests[-1]["body"]["tools"]
    return str(function["function"]["description"])


def test_an_edit_reaches_an_agent_that_runs(
    cluster: KubeClient, api_server: ApiServer, model: RunningModel, tmp_path: Path
) -> None:
    registered = search("finds pages") | {"apiVersion": "kagent.dev/v1alpha1"}
    (tmp_path / "tools.yaml").write_text(yaml.safe_dump(registered))
    cluster.apply(search("finds pages"))
    around = watching(api_server, AGENT_NAME, tmp_path)
    around |= {
        "AGENT_TOOLS": str(tmp_path / "tools.yaml"),
        "AGENT_MODEL_BASE_URL": model.base_url,
    }
    with pod(AGENT, tmp_path, **around) as running:
        assert told(running.url, model) == "finds pages"
        cluster.apply(search("finds pages of the last day"))
        eventually(
            lambda: told(running.url, model) == "finds pages of the last day" or None, "the edit"
        )


@contextmanager
def tool_server(**around: str) -> Iterator[str]:
    """`tools-mcp` as a process, once it says that it is ready."""
    port, numbers = free_port(), free_port()
    ports = {"AGENT_PORT": str(port), "AGENT_METRICS_PORT": str(numbers)}
    process = subprocess.Popen(
        [sys.executable, "-m", "agent_runtime", "tools-mcp"],
        cwd=CHECKOUT,
        env=environment(AGENT_DRAIN_SECONDS="1", **ports, **around),
    )

    def ready() -> bool | None:
        assert process.poll() is None, "it ended by itself"
        try:
            return httpx.get(f"http://127.0.0.1:{numbers}/readyz").is_success or None
        except httpx.TransportError:
            return None

    try:
        eventually(ready, "the tool server to be ready")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(120)


async def described(url: str) -> dict[str, str]:
    """Every tool that an MCP client sees."""
    http = httpx2.AsyncClient(headers=CALLER, trust_env=False)
    async with http, Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client:
        return {each.name: str(each.description) for each in (await client.list_tools()).tools}


@pytest.mark.slow
async def test_the_mcp_server_is_ready_with_the_tools_of_the_cluster(
    cluster: KubeClient, api_server: ApiServer, tmp_path: Path
) -> None:
    cluster.apply(search("finds books"))
    around = watching(api_server, TOOL_SERVER, tmp_path)
    with tool_server(**around) as url:
        assert await described(url) == {"search": "finds books"}
