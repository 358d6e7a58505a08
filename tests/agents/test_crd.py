"""The Tool CRD on a real API server: what the model takes it takes, what it refuses it refuses."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.crd import tool_crd
from local.kube import ApiError
from tests.harness.api_server import ApiServer
from tools.generate_agent_schemas import generated

CHECKOUT = Path(__file__).resolve().parent.parent.parent
CRD_FILE = CHECKOUT / "components" / "crds" / "tools.kagent.dev.yaml"


def tool(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "tools.kagent.dev/v1alpha1",
        "kind": "Tool",
        "metadata": {"name": "a-tool", "namespace": "default"},
        "spec": spec,
    }


GOOD = [
    tool(
        type="api",
        config={"endpoint": "http://search-service/api/search", "method": "POST"},
        parameters=[
            {"name": "query", "required": True},
            {"name": "max_results", "type": "integer", "default": 10, "enum": [5, 10]},
        ],
        authentication={"type": "bearer", "secretRef": {"name": "search-api-token"}},
    ),
    tool(type="retrieval", config={"collection": "support-docs", "topK": 5}),
    tool(type="code"),
    tool(type="human", config={"expiresIn": "5m"}, requiresApproval=True),
    tool(type="api", config={"endpoint": "grpc://stock:50051/a.B/C"}, approval={"fourEyes": True}),
    tool(type="openapi", config={"inline": {"openapi": "3.1.0"}, "operations": ["a"]}),
    tool(type="mcp", config={"endpoint": "http://x/mcp", "functions": [{"name": "a"}]}),
    tool(type="agent", config={"endpoint": "http://x/"}, afterUntrusted="allow"),
    tool(type="code", config={"language": "sql", "tables": {"t": {"csv": "a,b"}}}),
]
BAD = [
    (tool(type="shell"), "spec.type"),
    (tool(type="api"), "type api needs config.endpoint"),
    (tool(type="api", config={"endpoint": "http://x", "topK": 3}), "config of type api holds only"),
    (tool(type="retrieval", config={"topK": 3}), "type retrieval needs config.collection"),
    (tool(type="retrieval", config={"collection": "c", "topK": 0}), "spec.config.topK"),
    (
        tool(type="code", authentication={"secretRef": {"name": "x"}}),
        "only these types have authentication",
    ),
    (tool(type="code", config={"timeOut": "1s"}), "timeOut"),
    (tool(type="mcp", config={"endpoint": "http://x/mcp"}), "type mcp needs config.functions"),
    (tool(type="openapi", config={"operations": []}), "spec.config.operations"),
    (tool(type="agent", config={"endpoint": "http://x/", "topK": 1}), "config of type agent holds"),
    (tool(type="code", onUnknown="guess"), "spec.onUnknown"),
]


@pytest.mark.unit
def test_generated_files_are_fresh() -> None:
    stale = [path for path, text in generated().items() if path.read_text() != text]
    assert not stale, "run `make docs`"


@pytest.mark.unit
def test_the_committed_crd_is_the_one_that_the_model_gives() -> None:
    assert yaml.safe_load(CRD_FILE.read_text()) == tool_crd()


@pytest.mark.api_server
def test_a_real_api_server_takes_the_crd_and_judges_tools_like_the_model(
    api_server: ApiServer,
) -> None:
    api_server.load_crds(CRD_FILE)
    for each in GOOD:
        api_server.dry_run(each)
    for each, said in BAD:
        with pytest.raises(ApiError, match="(?s).*" + said):
            api_server.dry_run(each)
