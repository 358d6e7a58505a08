"""Mistakes about model servers and scalers in a stack file: one line each."""

from typing import Any

import pulumi
import pytest

from infra.config import PlatformConfig, parse
from infra.documents import Documents
from infra.quota_rules import agent_workloads
from tests.infra.stack_data import platform_data

pytestmark = pytest.mark.unit

ADAPTER = {"support": {"repository": "acme/support", "base": "qwen3-8b"}}


def _server(**fields: Any) -> dict[str, Any]:
    return {"engine": "vllm", "model": "qwen3-8b", "gpus": 1} | fields


def _mistakes(stack: str, **keys: Any) -> list[str]:
    data = platform_data(stack)
    for key, value in keys.items():
        data[key] = {**data.get(key, {}), **value}
    with pytest.raises(pulumi.RunError) as caught:
        parse(data, PlatformConfig, region="us-east-1")
    return str(caught.value).splitlines()[1:]


def test_a_scaled_server_needs_keda_and_a_prometheus_that_knows_pods() -> None:
    lines = _mistakes("local", modelServers={"big": _server(scaling={"maxReplicas": 4})})
    assert any("modelServers.big.scaling: needs KEDA" in line for line in lines)
    assert any("needs metrics.variant 'chart', not 'embedded'" in line for line in lines)


def test_one_adapter_belongs_to_one_server() -> None:
    servers = {name: _server(adapters=ADAPTER) for name in ("one", "two")}
    lines = _mistakes("local", modelServers=servers)
    assert any("modelServers.two.adapters.support: got a name that 'one' has" in x for x in lines)


def test_two_agents_never_share_a_queue() -> None:
    scalers = {"second": {"agent": "another-agent"}}
    lines = _mistakes("prod", scalers=scalers)
    assert any(
        "scalers.second.queue: got 'agent-task-queue', which is the queue of agent "
        "'customer-support-agent'" in line
        for line in lines
    )


def test_a_claim_needs_a_template_and_the_driver() -> None:
    lines = _mistakes("prod", modelServers={"big": _server(gpuClaim="large-gpu")})
    assert any("modelServers.big.gpuClaim: got 'large-gpu'; allowed: none" in x for x in lines)


def test_tools_are_followed_only_where_the_api_server_can_be_reached() -> None:
    lines = _mistakes("prod", networkPolicies={"cloudCidr": None})
    assert any("agentService.toolWatch: got 'cluster', but networkPolicies" in x for x in lines)
    lines = _mistakes(
        "prod", networkPolicies={"cloudCidr": None}, agentService={"toolWatch": "files"}
    )
    assert any("toolServer: networkPolicies lets no Pod" in x for x in lines)


def test_the_tool_server_can_not_ask_kagent_for_tokens() -> None:
    jwt = {"auth": "jwt", "jwtIssuer": "https://issuer.example", "jwtAudience": "agents"}
    assert any("toolServer: kagent lists" in x for x in _mistakes("prod", agentService=jwt))


def test_the_tool_server_counts_in_the_quota_of_its_namespace() -> None:
    config = parse(platform_data("prod"), PlatformConfig, region="us-west-2")
    (server,) = [
        it for it in agent_workloads(config, Documents({}, [])) if it.name == "tool-registry"
    ]
    assert (server.replicas, server.resources["limits.memory"]) == (2, "512Mi")
