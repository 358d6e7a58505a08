"""The Job that makes collections."""

import pytest
from pydantic import ValidationError

from components.collection_bootstrap import CollectionBootstrap, CollectionBootstrapConfig
from tests.harness.recording import record

pytestmark = pytest.mark.unit


def test_each_collection_has_a_job_that_runs_the_runtimes_own_command() -> None:
    def build() -> None:
        CollectionBootstrap(
            "collections",
            config=CollectionBootstrapConfig(collections=("agent_knowledge", "support-docs")),
            namespace="ai-agents",
            image="registry.example.com/agent-runtime:1",
            vector_store_url="http://milvus.ai-data.svc.cluster.local:19530",
        )

    jobs = {each.inputs["metadata"]["name"]: each.inputs for each in record(build).of_type("Job")}
    assert jobs.keys() == {
        "collection-bootstrap-agent-knowledge",
        "collection-bootstrap-support-docs",
    }
    pod = jobs["collection-bootstrap-agent-knowledge"]["spec"]["template"]["spec"]
    command = pod["containers"][0]["command"]
    assert command == [
        "python",
        "-m",
        "agent_runtime",
        "collections",
        "--ensure",
        "agent_knowledge",
    ]
    assert pod["securityContext"]["runAsNonRoot"] is True


def test_no_collection_at_all_is_refused() -> None:
    with pytest.raises(ValidationError, match="collections"):
        CollectionBootstrapConfig(collections=())
