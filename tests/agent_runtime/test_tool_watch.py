"""Tool objects in a real API server, followed by watch: changed, broken, deleted, restarted."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from agent_runtime.secret_file import SecretFile
from agent_runtime.tools.cluster_access import ClusterAccess
from agent_runtime.tools.tool_follower import ToolFollower, followed
from agent_runtime.tools.tool_metrics import ToolMetrics
from agent_runtime.tools.tool_watch import ToolWatch
from agents.document import AgentDocument, ToolDocument, load_documents
from tests.agent_runtime.test_tool_registry import description, registry, until
from tests.harness.api_server import ApiServer

pytestmark = pytest.mark.api_server

CRD = Path(__file__).resolve().parent.parent.parent / "components/crds/tools.kagent.dev.yaml"
NAMESPACE = "watched-tools"


def tool(words: str, **more: Any) -> dict[str, Any]:
    spec = {"type": "api", "description": words, "config": {"endpoint": "https://x.example/a"}}
    return {
        "apiVersion": "tools.kagent.dev/v1alpha1",
        "kind": "Tool",
        "metadata": {"name": "search", "namespace": NAMESPACE},
        "spec": {**spec, **more},
    }


def access(api_server: ApiServer, folder: Path) -> ClusterAccess:
    import base64

    data = yaml.safe_load(api_server.kubeconfig.read_text())
    cluster, user = data["clusters"][0]["cluster"], data["users"][0]["user"]
    (folder / "token").write_text(user["token"])
    authority = folder / "ca.crt"
    if "certificate-authority-data" in cluster:
        authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    else:
        authority.write_bytes(Path(cluster["certificate-authority"]).read_bytes())
    return ClusterAccess(
        url=cluster["server"],
        token=SecretFile(folder / "token"),
        ca_file=authority,
        namespace=NAMESPACE,
    )


@asynccontextmanager
async def watched(
    api_server: ApiServer, folder: Path
) -> AsyncIterator[tuple[Callable[[], str], ToolFollower]]:
    text = "apiVersion: kagent.dev/v1alpha1\nkind: Agent\nmetadata: {name: a, namespace: %s}\n"
    (agent,) = load_documents(text % NAMESPACE + "spec: {model: {name: m}, tools: [search]}")
    assert isinstance(agent, AgentDocument)

    def resolve(tools: list[ToolDocument]) -> Any:
        from agents.document import resolve_tools

        return resolve_tools(agent, tools)

    async with registry() as made:
        metrics = ToolMetrics(CollectorRegistry(), "a")
        follower = ToolFollower(made, resolve, known=[], metrics=metrics)
        watch = ToolWatch(access(api_server, folder), report_status=True)
        async with followed(follower, watch):
            yield lambda: description(made) if made.functions else "", follower
        await watch.close()


async def test_objects_are_followed_and_told_what_became_of_them(
    api_server: ApiServer, tmp_path: Path
) -> None:
    def put(obj: dict[str, Any]) -> Any:
        return asyncio.to_thread(api_server.client.apply, obj)

    def accepted() -> str:
        found = api_server.client.find("tools.kagent.dev/v1alpha1", "Tool", "search", NAMESPACE)
        conditions = ((found or {}).get("status") or {}).get("conditions") or [{}]
        return str(conditions[0].get("status"))

    api_server.load_crds(CRD)
    api_server.namespace(NAMESPACE)
    await put(tool("first"))
    async with watched(api_server, tmp_path) as (words, follower):
        await until(lambda: words() == "first")
        await put(tool("second"))
        await until(lambda: words() == "second")
        await until(lambda: accepted() == "True")
        # the API server takes it, for what the model checks is more than a schema can say
        await put(tool("third", config={"endpoint": "https://x.example/{gone}"}))
        await until(lambda: "search" in follower.conditions)
        assert words() == "second"
        await until(lambda: accepted() == "False")
        await put(tool("fourth", config={"endpoint": "https://x.example/b"}))
        await until(lambda: words() == "fourth")
        assert "search" not in follower.conditions
        client = api_server.client
        delete = ("tools.kagent.dev/v1alpha1", "Tool", "search", NAMESPACE)
        await asyncio.to_thread(client.delete, *delete)
        await until(lambda: follower.conditions.get("search") == "the Tool was deleted")
        assert words() == "fourth"
        await put(tool("fifth"))
        await until(lambda: words() == "fifth")
