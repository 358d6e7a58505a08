"""Quotas and Secrets that the platform's own Pods need: refused before any resource is made."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.resource_quota import amount
from infra import stack
from infra.config import PlatformConfig, parse
from infra.quota_rules import Workload, demand, too_small
from tests.harness.recording import record
from tests.infra.stack_data import platform_data

pytestmark = pytest.mark.unit


def mistakes(data: dict[str, Any]) -> list[str]:
    with pytest.raises(pulumi.RunError) as caught:
        parse(data, PlatformConfig, region="us-west-2")
    return str(caught.value).splitlines()[1:]


def refused_without_a_resource(data: dict[str, Any], region: str | None = "us-west-2") -> list[str]:
    """The lines of a program that ends before it registers anything."""
    config = parse(data, PlatformConfig, region=region)
    registered: list[str] = []

    def build() -> dict[str, Any]:
        try:
            return stack.build(config, region)
        except pulumi.RunError as error:
            registered.extend(str(error).splitlines())
            return {}

    made = record(build)
    assert [it.type for it in made.resources] == []
    return registered


@pytest.mark.parametrize(
    ("quantity", "number"),
    [("500m", "0.5"), ("2", "2"), ("1.5", "1.5"), ("1Gi", "1073741824"), ("1k", "1000")],
)
def test_quantities_are_read_as_kubernetes_reads_them(quantity: str, number: str) -> None:
    assert amount(quantity) == Decimal(number)


def test_a_rollout_keeps_the_old_pods_and_adds_the_largest_new_one() -> None:
    small = Workload("small", 3, {"requests.cpu": "500m", "pods": "1"})
    large = Workload("large", 1, {"requests.cpu": "4", "pods": "1"})
    assert demand([small, large]) == {"requests.cpu": Decimal("9.5"), "pods": Decimal(5)}


def test_a_quota_that_just_fits_is_not_refused() -> None:
    servers = [Workload("one", 2, {"requests.memory": "16Gi"})]
    assert list(too_small("n", {"requests.memory": "48Gi"}, servers)) == []
    (line,) = too_small("n", {"requests.memory": "47Gi"}, servers)
    assert line == (
        "namespaces.n.quota.hard.requests.memory: got '47Gi'; the platform's own Pods there (one) "
        "need 48Gi while one of them is rolled out; raise the quota or ask for less"
    )


def test_models_that_dont_fit_their_quota_are_refused_with_what_they_need() -> None:
    data = platform_data("prod")
    data["namespaces"] = {
        "ai-inference": {
            "podSecurity": "privileged",
            "quota": {"name": "ai-inference-quota", "hard": {"requests.nvidia.com/gpu": "8"}},
        }
    }
    (line,) = mistakes(data)
    assert line.startswith("namespaces.ai-inference.quota.hard.requests.nvidia.com/gpu: got '8'")
    assert "vllm-gpt4-primary" in line
    assert "need 29 while one of them is rolled out" in line


def test_agents_that_dont_fit_their_quota_are_refused_before_any_resource() -> None:
    data = platform_data("prod")
    data["namespaces"] = {
        "ai-agents": {
            "podSecurity": "baseline",
            "quota": {"name": "ai-agents-quota", "hard": {"pods": "2"}},
        }
    }
    (line,) = refused_without_a_resource(data)
    assert line.startswith("namespaces.ai-agents.quota.hard.pods: got '2'")
    assert "(customer-support-agent, tool-registry) need 5" in line


def test_a_secret_that_a_component_mounts_and_nobody_makes_is_refused() -> None:
    data = platform_data("prod")
    data["secrets"]["entries"] = [
        it | {"namespaces": ["ai-agents"]} if it["name"] == "session-store-auth" else it
        for it in data["secrets"]["entries"]
        if it["name"] != "kagent-database"
    ]
    lines = mistakes(data)
    assert len(lines) == 2, lines
    assert lines[0].startswith(
        "secrets.entries: no Secret 'session-store-auth' in namespace 'ai-data', which sessionStore"
    )
    assert "no Secret 'kagent-database' in namespace 'ai-agents'" in lines[1]


def test_a_secret_without_the_key_that_is_read_is_refused() -> None:
    data = platform_data("prod")
    data["agentOperator"]["databaseKey"] = "dsn"
    (line,) = mistakes(data)
    assert line == (
        "secrets.entries: Secret 'kagent-database' in namespace 'ai-agents' lacks the key 'dsn', "
        "which agentOperator needs; it has: url"
    )


def test_a_tools_secret_that_nobody_makes_is_refused_before_any_resource() -> None:
    data = platform_data("prod")
    entries = data["secrets"]["entries"]
    data["secrets"]["entries"] = [it for it in entries if it["name"] != "ticketing-token"]
    (line,) = refused_without_a_resource(data)
    assert "no Secret 'ticketing-token' in namespace 'ai-agents'" in line
    assert "a tool of agent 'customer-support-agent' needs with key 'token'" in line


def test_missing_secret_files_are_all_named_before_any_resource(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTIC_STATE_DIR", str(tmp_path))
    lines = refused_without_a_resource(platform_data("local"), region=None)
    named = {line.split(" is missing")[0].rsplit("/", 1)[1] for line in lines}
    assert named >= {"session-store-password", "gateway-api-key-demo", "ticketing-token"}
