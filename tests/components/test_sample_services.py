"""The sample agent's surroundings: what they are made of, and that Kubernetes takes them."""

from pathlib import Path
from typing import Any

import pytest

from agents.document import AgentDocument, load_documents
from agents.tool import ApiTool, RetrievalTool
from components.sample_services import (
    TICKETING,
    TICKETING_PORT,
    SampleServices,
    SampleServicesConfig,
    SampleSurroundings,
    ingest_job_manifest,
    knowledge_manifest,
    read_knowledge,
    ticketing_manifests,
)
from tests.harness.api_server import ApiServer
from tests.harness.recording import record

CONFIG = SampleServicesConfig(runtime_image="process.local/agent-runtime:dev")
AROUND = SampleSurroundings(
    gateway_url="http://gateway:18080",
    gateway_key_secret="gateway-api-key",
    vector_store_url="http://milvus:19530",
    ticketing_secret="ticketing-token",
)
DOCUMENTS = {"a.md": "# A\n"}
NAMESPACE = "ai-agents"


def job(documents: dict[str, str] = DOCUMENTS) -> dict[str, Any]:
    return ingest_job_manifest(CONFIG, documents, around=AROUND, namespace=NAMESPACE)


def everything() -> list[dict[str, Any]]:
    services = ticketing_manifests(CONFIG, around=AROUND, namespace=NAMESPACE)
    return [
        knowledge_manifest(CONFIG, DOCUMENTS, namespace=NAMESPACE),
        job(),
        *services.values(),
    ]


@pytest.mark.unit
def test_changed_documents_are_another_job_and_the_same_ones_the_same() -> None:
    assert job()["metadata"]["name"] == job()["metadata"]["name"]
    assert job()["metadata"]["name"] != job({"a.md": "# B\n"})["metadata"]["name"]


@pytest.mark.unit
def test_the_job_mounts_what_its_command_and_variables_name() -> None:
    pod = job()["spec"]["template"]["spec"]
    container = pod["containers"][0]
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert container["command"][-1] in mounted
    env = {each["name"]: each["value"] for each in container["env"]}
    assert env["AGENT_MODEL_API_KEY_FILE"].rsplit("/", 1)[0] in mounted
    names = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == names


@pytest.mark.unit
def test_no_secret_stands_in_a_manifest_only_its_name() -> None:
    deployment = ticketing_manifests(CONFIG, around=AROUND, namespace=NAMESPACE)["deployment"]
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    assert {"secretName": "ticketing-token", "defaultMode": 0o440} in [
        volume.get("secret") for volume in volumes
    ]


@pytest.mark.unit
def test_the_sample_agent_calls_the_service_and_the_collection_that_are_made() -> None:
    text = Path("agents/samples/customer-support.yaml").read_text()
    (agent,) = load_documents(text)
    assert isinstance(agent, AgentDocument)
    search, ticket = agent.spec.tools
    assert isinstance(search, RetrievalTool)
    assert isinstance(ticket, ApiTool)
    assert search.config.collection == CONFIG.collection
    assert ticket.config.endpoint.startswith(f"http://{TICKETING}:{TICKETING_PORT}/")
    assert ticket.authentication is not None
    assert ticket.authentication.secret_ref.name == AROUND.ticketing_secret


@pytest.mark.unit
def test_the_sample_documents_fit_and_every_bad_file_is_named(tmp_path: Path) -> None:
    assert len(read_knowledge(Path("agents/samples/knowledge"))) >= 12
    with pytest.raises(ValueError, match="no document is there"):
        read_knowledge(tmp_path)
    (tmp_path / "a b.md").write_text("x")
    (tmp_path / "c.md").write_bytes(b"\xff")
    (tmp_path / "d.md").write_text("x" * 1_100_000)
    with pytest.raises(ValueError, match=r"'a b.md'.*\n.*'c.md'.*\n.*1100000 bytes"):
        read_knowledge(tmp_path)
    with pytest.raises(ValueError, match="does not exist"):
        read_knowledge(tmp_path / "none")


@pytest.mark.unit
def test_the_component_makes_all_and_gives_the_address() -> None:
    def build() -> dict[str, Any]:
        made = SampleServices(
            "samples", config=CONFIG, documents=DOCUMENTS, around=AROUND, namespace=NAMESPACE
        )
        return {"url": made.ticketing_url}

    recording = record(build)
    kinds = sorted(each.type.rsplit(":", 1)[-1] for each in recording.resources)
    assert kinds == ["ConfigMap", "Deployment", "Job", "SampleServices", "Service"]
    assert recording.values == {"url": "http://ticketing-service:8080"}


@pytest.mark.api_server
def test_the_api_server_accepts_every_object(api_server: ApiServer) -> None:
    for manifest in everything():
        api_server.dry_run(manifest)


@pytest.mark.api_server
def test_pod_security_restricted_accepts_the_pods(api_server: ApiServer) -> None:
    enforce = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = api_server.namespace("sample-services-restricted", enforce)
    for manifest in everything():
        if "template" in manifest.get("spec", {}):
            spec = manifest["spec"]["template"]["spec"]
            metadata = {"name": manifest["metadata"]["name"], "namespace": namespace}
            api_server.dry_run(
                {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
            )
