"""The Job that carries out the plan of the vector store."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from components.collection_bootstrap import CollectionBootstrap, CollectionBootstrapConfig
from tests.harness.recording import record

pytestmark = pytest.mark.unit

SECURED = {
    "collections": ["agent_knowledge", "support-docs"],
    "databases": {"tenant_a": ["agent_knowledge"]},
    "authSecret": "milvus-auth",
    "users": {"agents": {}, "auditor": {"access": "read", "databases": ["tenant_a"]}},
}


def made(data: dict[str, Any], **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The plan and the Job."""

    def build() -> None:
        CollectionBootstrap(
            "collections",
            config=CollectionBootstrapConfig.model_validate(data),
            namespace="ai-agents",
            image="registry.example.com/agent-runtime:1",
            vector_store_url="http://milvus.ai-data.svc.cluster.local:19530",
            **more,
        )

    recording = record(build)
    (job,), (plan,) = recording.of_type("Job"), recording.of_type("ConfigMap")
    return json.loads(plan.inputs["data"]["plan.json"]), job.inputs


def test_the_plan_is_what_the_runtime_reads() -> None:
    plan, _ = made(SECURED)
    assert plan == {
        "authentication": True,
        "databases": {
            "default": ["agent_knowledge", "support-docs"],
            "tenant_a": ["agent_knowledge"],
        },
        "embeddingDimension": 1536,
        "users": {
            "agents": {"access": "readWrite", "databases": ["default"]},
            "auditor": {"access": "read", "databases": ["tenant_a"]},
        },
    }


def test_one_job_runs_the_runtimes_own_command_and_gives_up_on_what_stays_wrong() -> None:
    _, job = made({})
    pod = job["spec"]["template"]["spec"]
    command = pod["containers"][0]["command"]
    assert command[:4] == ["python", "-m", "agent_runtime", "bootstrap-milvus"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    (rule,) = job["spec"]["podFailurePolicy"]["rules"]
    assert rule == {
        "action": "FailJob",
        "onExitCodes": {"operator": "In", "values": [2, 3], "containerName": "bootstrap"},
    }
    assert pod["restartPolicy"] == "Never", "a failure policy needs that"


def test_another_plan_is_another_job() -> None:
    names = {
        made(data)[1]["metadata"]["name"] for data in ({}, {"embeddingDimension": 768}, SECURED)
    }
    assert len(names) == 3
    assert all(name.startswith("milvus-bootstrap-") for name in names)


def test_passwords_and_the_ca_are_files_of_the_users_named() -> None:
    _, job = made(SECURED, ca_secret="milvus-client-tls")
    pod = job["spec"]["template"]["spec"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    keys = [each["key"] for each in volumes["users"]["secret"]["items"]]
    assert keys == ["root", "agents", "auditor"]
    assert [each["key"] for each in volumes["ca"]["secret"]["items"]] == ["ca.crt"]
    environment = {each["name"]: each["value"] for each in pod["containers"][0]["env"]}
    assert environment["AGENT_MILVUS_CA_FILE"] == "/var/run/milvus-ca/ca.crt"
    assert environment["AGENT_SECRETS_DIR"] == "/var/run/milvus-users"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"collections": []}, "give at least one"),
        ({"users": {"agents": {}}}, "they need authSecret"),
        ({"databases": {"default": ["x"]}}, "list its collections under"),
        (
            {"authSecret": "s", "users": {"agents": {"databases": ["x"]}}},
            "users.agents.databases: 'x' is no database; there are: default",
        ),
    ],
)
def test_a_plan_that_cannot_be_is_refused(data: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        CollectionBootstrapConfig.model_validate(data)
