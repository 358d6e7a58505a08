"""The registry's kind and its objects: what an author writes is what the cluster shows."""

from pathlib import Path
from typing import Any

import pytest

from agents.document import ToolDocument, load_documents
from components.tool_registry import ToolRegistry, definition_manifest, tool_manifest
from tests.harness.api_server import ApiServer
from tests.harness.recording import record

CRD_FILE = Path(__file__).parents[2] / "components" / "crds" / "tools.kagent.dev.yaml"
TEXT = """
apiVersion: kagent.dev/v1alpha1
kind: Tool
metadata: {name: web-search, namespace: ai-agents}
spec:
  type: api
  description: searches the web for current information
  config: {endpoint: http://search-service/api/search, method: POST, timeout: 30s}
  parameters:
    - {name: query, type: string, required: true, description: search query}
    - {name: max_results, type: integer, default: 10, description: largest number of results}
  authentication: {type: bearer, secretRef: {name: search-api-token, key: token}}
"""


def tools() -> list[ToolDocument]:
    found = load_documents(TEXT, source="tools.yaml")
    return [each for each in found if isinstance(each, ToolDocument)]


@pytest.mark.unit
def test_the_definition_comes_before_the_tools() -> None:
    def build() -> dict[str, Any]:
        ToolRegistry("tools", tools=tools(), namespace="ai-agents")
        return {}

    made = record(build)
    (tool,) = made.of_type(":Tool")
    assert tool.type == "kubernetes:tools.kagent.dev/v1alpha1:Tool"
    assert tool.inputs["spec"]["config"]["endpoint"] == "http://search-service/api/search"
    assert [it.inputs["metadata"]["name"] for it in made.of_type(":CustomResourceDefinition")] == [
        "tools.tools.kagent.dev"
    ]


@pytest.mark.unit
@pytest.mark.parametrize("config", ["{}", "{sandbox: {warmPool: python}}"])
def test_only_where_a_tool_runs_in_sandboxes_may_its_callers_claim_them(config: str) -> None:
    about = "apiVersion: kagent.dev/v1alpha1\nkind: Tool\nmetadata: {name: compute}\n"
    (tool,) = load_documents(f"{about}spec: {{type: code, config: {config}}}")
    assert isinstance(tool, ToolDocument)

    def build() -> dict[str, Any]:
        ToolRegistry("tools", tools=[tool], namespace="ai-agents", watchers=["tool-registry"])
        return {}

    (role,) = record(build).of_type(":Role")
    allowed = {
        resource: rule["verbs"] for rule in role.inputs["rules"] for resource in rule["resources"]
    }
    assert allowed.pop("tools") == ["get", "list", "watch"]
    claims = {"sandboxclaims": ["create", "get", "delete"]} if "sandbox" in config else {}
    assert allowed == claims


@pytest.mark.api_server
def test_the_api_server_takes_the_architectures_tool(api_server: ApiServer) -> None:
    api_server.dry_run(definition_manifest())
    api_server.load_crds(CRD_FILE)
    for tool in tools():
        api_server.dry_run(tool_manifest(tool, namespace="default"))
