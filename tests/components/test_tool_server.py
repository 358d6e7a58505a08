"""The MCP server of the Tools: its Pod as a real API server admits it, and what it is given."""

from pathlib import Path
from typing import Any

import pytest

from agent_runtime.settings import Settings
from agents.document import ToolDocument, load_documents
from components.tool_server import (
    ToolServer,
    ToolServerConfig,
    kagent_manifest,
    manifests,
    pod_spec,
    tool_secrets,
)
from local.kube import ApiError
from tests.components.pod_check import admit_pod
from tests.components.test_agent_service import AROUND, CONFIGS, documents
from tests.harness.api_server import ApiServer
from tests.harness.recording import Recording, record

CONFIG = ToolServerConfig()
URL = "http://tool-registry.ai-agents.svc.cluster.local:8080/mcp"


def pod(controller: str = "none") -> dict[str, Any]:
    return pod_spec(CONFIG, service=CONFIGS[controller], tools=documents()[1], around=AROUND)


def objects() -> dict[str, dict[str, Any]]:
    return manifests(CONFIG, pod(), namespace="ai-agents")


def registered(controller: str) -> Recording:
    def build() -> dict[str, Any]:
        server = ToolServer(
            "tool-server",
            config=CONFIG,
            service=CONFIGS[controller],
            tools=documents()[1],
            namespace="ai-agents",
            around=AROUND,
        )
        return {"url": server.url}

    return record(build)


@pytest.mark.unit
def test_the_runtime_knows_every_variable_and_every_file_is_mounted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (container,) = pod()["containers"]
    for each in container["env"]:
        monkeypatch.setenv(each["name"], each.get("value", "127.128.0.7"))
    known = {f"AGENT_{field.upper()}" for field in Settings.model_fields}
    assert {each["name"] for each in container["env"]} <= known
    settings = Settings()
    assert (settings.name, settings.tool_watch, settings.tool_status) == (
        "tool-registry",
        "cluster",
        True,
    )
    folders = {Path(each["mountPath"]) for each in container["volumeMounts"]}
    given = [each["value"] for each in container["env"] if each["name"].endswith("_FILE")]
    assert {Path(each).parent for each in given} <= folders
    assert settings.secrets_dir / "search-api-token" in folders


@pytest.mark.unit
def test_kagent_learns_of_it_only_where_it_runs() -> None:
    assert registered("none").of_type(":RemoteMCPServer") == []
    made = registered("kagent")
    (known,) = made.of_type(":RemoteMCPServer")
    assert known.inputs["spec"]["url"] == made.values["url"] == URL
    assert known.inputs["spec"]["headersFrom"] == [{"name": "x-tenant-id", "value": "platform"}]


@pytest.mark.unit
def test_a_tools_secret_never_takes_the_place_of_one_of_the_platform() -> None:
    text = (
        "kind: Tool\nmetadata: {name: t}\nspec: {type: api, config: {endpoint: https://x.example}"
    )
    text = f"apiVersion: kagent.dev/v1alpha1\n{text}, authentication: {{secretRef: "
    tools = load_documents(text + "{name: gateway, key: key}}}")
    with pytest.raises(ValueError, match="can't be named 'gateway'"):
        tool_secrets(each for each in tools if isinstance(each, ToolDocument))


@pytest.mark.api_server
def test_the_api_server_takes_the_server_and_what_kagent_knows_of_it(
    api_server: ApiServer,
) -> None:
    api_server.load_crds("kagent")
    for manifest in objects().values():
        api_server.dry_run(manifest)
    known = kagent_manifest(CONFIG, url=URL, namespace="ai-agents")
    api_server.dry_run(known)
    known["spec"]["headersFrom"][0]["valueFrom"] = {"type": "Secret", "name": "a", "key": "b"}
    with pytest.raises(ApiError, match="Exactly one of value or valueFrom"):
        api_server.dry_run(known)


@pytest.mark.api_server
def test_its_pod_would_run_even_where_restricted_is_enforced(api_server: ApiServer) -> None:
    stored = admit_pod(api_server, objects()["deployment"], level="restricted")
    (volume,) = [each for each in stored["spec"]["volumes"] if "projected" in each]
    token, authority = volume["projected"]["sources"]
    assert token["serviceAccountToken"] == {"expirationSeconds": 3600, "path": "token"}
    assert authority["configMap"]["name"] == "kube-root-ca.crt"
