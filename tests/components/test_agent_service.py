"""An agent's objects in both renderings: accepted by a real API server, alike in what matters."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from agents.document import AgentDocument, ToolDocument, load_documents
from agents.errors import DocumentError
from components.agent_pod import config_data, digest
from components.agent_service import AgentService, manifests
from components.runtime_pod import AgentServiceConfig, Surroundings
from inference.catalog import default_catalog
from local.kube import ApiError
from tests.components.pod_check import admit_pod
from tests.harness.api_server import ApiServer
from tests.harness.recording import record

ARCHITECTURES_AGENT = """
apiVersion: kagent.dev/v1alpha1
kind: Agent
metadata: {name: customer-support-agent, namespace: ai-agents}
spec:
  model: {provider: openai, name: gpt-4-turbo, temperature: 0.7, maxTokens: 4096}
  systemPrompt: You help customers. 고객을 돕습니다.
  tools:
    - name: search-knowledge-base
      type: retrieval
      config: {vectorStore: milvus, collection: support-docs, topK: 5}
    - name: create-ticket
      type: api
      config: {endpoint: http://ticketing-service/api/tickets, method: POST}
    - web-search
  memory:
    type: redis
    config: {host: redis-master.ai-data.svc.cluster.local, port: 6379, ttl: 3600, maxHistory: 50}
  scaling: {minReplicas: 2, maxReplicas: 10, targetCPUUtilization: 70, targetMemoryUtilization: 80}
  resources: {requests: {memory: 512Mi, cpu: 250m}, limits: {memory: 1Gi, cpu: 500m}}
---
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
---
apiVersion: kagent.dev/v1alpha1
kind: Tool
metadata: {name: unlisted, namespace: ai-agents}
spec: {type: human, description: asks somebody}
"""
AROUND = Surroundings(
    gateway_url="http://ai-gateway.ai-gateway.svc.cluster.local:80",
    gateway_key_secret="gateway-api-key",
    session_store_secret="session-store-auth",
    vector_store_url="http://milvus.ai-data.svc.cluster.local:19530",
    traces_url="http://traces.observability.svc.cluster.local:4318/v1/traces",
    traces_headers_secret="trace-headers",
    jwks='{"keys": []}',
)
CONFIGS = {
    "kagent": AgentServiceConfig(controller="kagent", image="registry.example.com/agent:1"),
    "none": AgentServiceConfig(
        controller="none", image="registry.example.com/agent:1", allowed_hosts=("search-service",)
    ),
    "jwt": AgentServiceConfig(
        controller="none",
        image="process.local/agent-runtime:dev",
        replicas=1,
        auth="jwt",
        jwt_issuer="https://issuer.local",
        jwt_audience="agents",
    ),
    "watching": AgentServiceConfig(
        controller="none", image="registry.example.com/agent:1", tool_watch="cluster"
    ),
}


def documents() -> tuple[AgentDocument, list[ToolDocument]]:
    found = load_documents(ARCHITECTURES_AGENT)
    agents = [each for each in found if isinstance(each, AgentDocument)]
    return agents[0], [each for each in found if isinstance(each, ToolDocument)]


def made(name: str, around: Surroundings = AROUND) -> dict[str, dict[str, Any]]:
    agent, tools = documents()
    return manifests(
        agent,
        tools,
        config=CONFIGS[name],
        catalog=default_catalog(),
        around=around,
        namespace="ai-agents",
    )


def pod_parts(name: str) -> dict[str, Any]:
    """What the Pod runs with, from either rendering."""
    objects = made(name)
    if "agent" in objects:
        found: dict[str, Any] = objects["agent"]["spec"]["byo"]["deployment"]
        command = [found["cmd"], *found["args"]]
    else:
        spec = objects["deployment"]["spec"]["template"]["spec"]
        container = spec["containers"][0]
        found = spec | container
        command = [*container["command"], *container["args"]]
    return found | {"command": command}


@pytest.mark.api_server
@pytest.mark.parametrize("name", CONFIGS)
def test_the_api_server_accepts_every_object(api_server: ApiServer, name: str) -> None:
    api_server.load_crds("kagent")
    objects = made(name)
    for manifest in objects.values():
        api_server.dry_run(manifest)
    if "deployment" in objects:
        admit_pod(api_server, objects["deployment"], level="restricted")


@pytest.mark.api_server
def test_the_older_definition_of_kagent_accepts_the_agent_too(api_server: ApiServer) -> None:
    api_server.load_crds("kagent-0.9.12")
    api_server.dry_run(made("kagent")["agent"])


@pytest.mark.api_server
def test_the_api_server_refuses_the_authoring_format(api_server: ApiServer) -> None:
    """Why an agent is compiled: kagent's definition knows none of the document's own fields."""
    api_server.load_crds("kagent")
    manifest = made("kagent")["agent"]
    manifest["spec"] |= {"systemPrompt": "You help."}
    with pytest.raises(ApiError, match="systemPrompt"):
        api_server.dry_run(manifest)


@pytest.mark.unit
def test_both_renderings_run_the_same_thing() -> None:
    first = made("kagent")["agent"]["spec"]["byo"]["deployment"]
    second = pod_parts("none")
    by_name = {each["name"]: each for each in second["env"]}
    by_name["AGENT_ALLOWED_HOSTS"]["value"] = ""
    assert first["env"] == list(by_name.values())
    same = ("image", "volumes", "volumeMounts", "resources", "affinity", "serviceAccountName")
    for field in same:
        assert first[field] == second[field], field
    assert pod_parts("kagent")["command"] == second["command"]


@pytest.mark.unit
def test_both_renderings_carry_the_labels_that_monitors_and_policies_select() -> None:
    objects = made("none")
    labels = objects["deployment"]["spec"]["template"]["metadata"]["labels"]
    wanted = {"app": "kagent", "kagent": "customer-support-agent"}
    assert wanted.items() <= labels.items()
    assert objects["deployment"]["spec"]["selector"]["matchLabels"] == wanted
    for what in ("metrics", "service"):
        assert objects[what]["spec"]["selector"] == wanted
    # kagent sets the two itself and would refuse to have them changed.
    given = made("kagent")["agent"]["spec"]["byo"]["deployment"]["labels"]
    assert not wanted.keys() & given.keys()
    assert given.items() <= labels.items()


@pytest.mark.unit
def test_the_metrics_have_a_service_with_a_named_port() -> None:
    service = made("kagent")["metrics"]
    assert service["metadata"]["name"] == "customer-support-agent-metrics"
    assert service["metadata"]["labels"]["app"] == "kagent"
    assert [(p["name"], p["port"]) for p in service["spec"]["ports"]] == [("metrics", 9090)]


@pytest.mark.unit
def test_the_agents_resources_are_the_documents() -> None:
    assert pod_parts("kagent")["resources"] == {
        "requests": {"memory": "512Mi", "cpu": "250m"},
        "limits": {"memory": "1Gi", "cpu": "500m"},
    }


@pytest.mark.unit
def test_no_replicas_are_written_where_something_else_scales() -> None:
    assert "replicas" not in made("kagent")["agent"]["spec"]["byo"]["deployment"]
    assert "replicas" not in made("none")["deployment"]["spec"]
    assert made("jwt")["deployment"]["spec"]["replicas"] == 1


@pytest.mark.unit
def test_only_the_listed_tools_reach_the_agent() -> None:
    data = made("none")["config"]["data"]
    assert "web-search" in data["tools.yaml"]
    assert "unlisted" not in data["tools.yaml"]
    assert "고객을 돕습니다" in data["agent.yaml"]


@pytest.mark.unit
def test_a_change_of_the_document_rolls_out() -> None:
    agent, tools = documents()
    before = config_data(agent, tools, default_catalog())
    spec = agent.spec.model_copy(update={"system_prompt": "other"})
    changed = agent.model_copy(update={"spec": spec})
    assert digest(before) == digest(config_data(agent, tools, default_catalog()))
    assert digest(before) != digest(config_data(changed, tools, default_catalog()))


@pytest.mark.unit
def test_an_unknown_tool_is_refused_before_anything_is_made() -> None:
    agent, _ = documents()
    with pytest.raises(DocumentError, match="web-search"):
        config_data(agent, [], default_catalog())


@pytest.mark.unit
def test_a_tools_secret_can_not_take_a_folder_of_the_platform() -> None:
    text = ARCHITECTURES_AGENT.replace("search-api-token", "gateway")
    found = load_documents(text)
    agent = next(each for each in found if isinstance(each, AgentDocument))
    tools = [each for each in found if isinstance(each, ToolDocument)]
    with pytest.raises(ValueError, match="can't be named 'gateway'"):
        manifests(
            agent,
            tools,
            config=CONFIGS["none"],
            catalog=default_catalog(),
            around=AROUND,
            namespace="ai-agents",
        )


@pytest.mark.unit
def test_jwt_without_an_issuer_is_refused() -> None:
    with pytest.raises(ValidationError, match="needs jwtIssuer and jwtAudience"):
        AgentServiceConfig(controller="none", image="x", auth="jwt")


@pytest.mark.unit
@pytest.mark.parametrize("name", ["kagent", "none"])
def test_the_component_makes_the_objects_and_tells_the_address(name: str) -> None:
    agent, tools = documents()

    def build() -> dict[str, Any]:
        service = AgentService(
            "customer-support-agent",
            config=CONFIGS[name],
            agent=agent,
            tools=tools,
            catalog=default_catalog(),
            namespace="ai-agents",
            around=AROUND,
        )
        return {"url": service.url}

    found = record(build)
    address = "http://customer-support-agent.ai-agents.svc.cluster.local:8080"
    assert found.values["url"] == address
    kind = "Agent" if name == "kagent" else "Deployment"
    assert len([each for each in found.resources if each.type.endswith(f":{kind}")]) == 1


@pytest.mark.unit
def test_the_sample_agent_renders() -> None:
    found = load_documents(Path("agents/samples/customer-support.yaml").read_text())
    agent = next(each for each in found if isinstance(each, AgentDocument))
    tools = [each for each in found if isinstance(each, ToolDocument)]
    data = config_data(agent, tools, default_catalog())
    assert load_documents(data["agent.yaml"]) == [agent]
