"""The stack file as one model: what it takes, and how it says what it does not take."""

import re
from typing import Any

import pulumi
import pytest
from pydantic import ValidationError

from components.secret_store import DirectoryConfig
from infra.config import CHECKOUT, PlatformConfig, TenantStackConfig, kind_of, parse, state_path
from tests.infra.stack_data import FILES, STACKS, platform_data, stack_file

pytestmark = pytest.mark.unit


def mistakes(data: dict[str, Any], *, region: str | None = "us-west-2") -> list[str]:
    """The lines that a user sees."""
    with pytest.raises(pulumi.RunError) as caught:
        parse(data, PlatformConfig, region=region)
    return str(caught.value).splitlines()[1:]


@pytest.mark.parametrize("name", STACKS)
def test_every_stack_file_of_the_checkout_is_valid(name: str) -> None:
    data = platform_data(name)
    parse(data, kind_of(data), region=stack_file(name).get("aws:region"))


@pytest.mark.parametrize("name", STACKS)
def test_no_stack_may_use_a_default_provider(name: str) -> None:
    assert stack_file(name)["pulumi:disable-default-providers"] == ["*"]


@pytest.mark.parametrize("name", STACKS)
def test_stack_files_hold_no_account_number_and_no_encrypted_value(name: str) -> None:
    text = FILES[name].read_text()
    assert not re.search(r"\b\d{12}\b", text), "an account number"
    assert "secure:" not in text


def test_dev_and_prod_have_the_same_keys_at_every_depth() -> None:
    def keys(value: Any, path: str = "") -> set[str]:
        if not isinstance(value, dict):
            return set()
        below = {f"{path}.{key}" for key in value}
        return below.union(*(keys(each, f"{path}.{key}") for key, each in value.items()))

    assert keys(stack_file("dev")) == keys(stack_file("prod"))


def test_five_mistakes_give_five_lines_with_path_value_and_way_out() -> None:
    data = platform_data("prod")
    data["cluster"]["eks"]["version"] = "1.29"
    data["network"]["natt"] = "single"
    data["karpenter"]["replicas"] = 0
    data["gpuPools"]["gpu-inference-pool"]["capacityTypes"] = ["spott"]
    del data["gateway"]["variant"]
    lines = mistakes(data)
    assert len(lines) == 5, lines
    text = "\n".join(lines)
    assert "cluster.eks.version: got '1.29'; allowed: '1.33', '1.34' or '1.35'" in text
    assert "network.natt: unknown key; did you mean 'nat'?" in text
    assert "karpenter.replicas: got 0; allowed: greater than 0" in text
    assert "capacityTypes[0]: got 'spott'" in text
    assert "did you mean 'spot'?" in text
    assert "gateway.variant: missing" in text


def test_paths_are_spelt_as_in_the_file_and_leave_out_the_tag_of_a_variant() -> None:
    data = platform_data("prod")
    data["tracing"]["publicUrl"] = "no address"
    data["sessionStore"] = {"variant": "chart", "maxMemorie": "1gb"}
    lines = mistakes(data)
    assert any(line.startswith("tracing.publicUrl: got 'no address'") for line in lines), lines
    assert any(
        line.startswith("sessionStore.maxMemorie: unknown key; did you mean 'maxMemory'?")
        for line in lines
    ), lines


def test_broken_rules_between_keys_are_told_together() -> None:
    data = platform_data("prod")
    data["cluster"]["eks"]["serviceCidr"] = "10.10.128.0/20"
    data["network"]["availabilityZones"] = ["us-west-2a", "eu-west-1b", "us-west-2c"]
    data["gpuPools"]["gpu-inference-pool"]["nodeClass"]["amiAlias"] = "al2023@latest"
    data["objectStorage"]["buckets"].pop("vectors")
    data["agentOperator"] = None
    lines = mistakes(data)
    assert len(lines) == 5, lines
    text = "\n".join(lines)
    assert "network.cidr: got '10.10.0.0/16'; it overlaps cluster.eks.serviceCidr" in text
    assert "network.availabilityZones[1]: got 'eu-west-1b'" in text
    assert "gpuPools.gpu-inference-pool.nodeClass.amiAlias: got 'al2023@latest'" in text
    assert "objectStorage.buckets.vectors; add that bucket" in text
    assert "agentOperator: got null" in text


def test_a_cluster_on_aws_needs_a_region_and_what_it_stands_on() -> None:
    data = platform_data("dev") | {"network": None, "encryption": None, "karpenter": None}
    lines = mistakes(data, region=None)
    assert [line.split(":")[0] for line in lines[:4]] == [
        "cluster.eks",
        "network",
        "encryption",
        "karpenter",
    ]


def test_a_floating_node_image_is_allowed_where_pinning_is_not_asked_for() -> None:
    data = platform_data("prod") | {"pinnedNodeImages": False}
    data["gpuPools"]["gpu-inference-pool"]["nodeClass"]["amiAlias"] = "al2023@latest"
    parse(data, PlatformConfig, region="us-west-2")


def test_a_gpu_pool_without_a_limit_on_gpus_is_refused() -> None:
    data = platform_data("prod")
    data["gpuPools"]["gpu-inference-pool"]["limits"] = {"cpu": "100"}
    (line,) = mistakes(data)
    assert line.startswith("gpuPools.gpu-inference-pool: limits must name 'nvidia.com/gpu'")


@pytest.mark.parametrize(
    ("key", "value"), [("password", "hunter2"), ("apiKey", "sk-live-1"), ("pasword", "hunter2")]
)
def test_a_secret_in_a_stack_file_is_refused_and_not_shown(key: str, value: str) -> None:
    data = platform_data("prod")
    data["sessionStore"][key] = value
    (line,) = mistakes(data)
    assert "unknown key" in line
    assert value not in line


def test_a_value_of_the_wrong_kind_under_a_secret_name_is_not_shown() -> None:
    data = platform_data("prod")
    data["agentOperator"]["databaseSecret"] = 4711
    (line,) = mistakes(data)
    assert "a hidden value" in line
    assert "4711" not in line


def test_both_or_neither_cluster_is_refused() -> None:
    data = platform_data("dev")
    data["cluster"]["existing"] = {"kubeconfig": "k", "context": "c"}
    (line,) = mistakes(data)
    assert line == (
        "cluster: exactly one of 'eks', 'existing' and 'stack' must be given; null the others"
    )


def test_namespaces_of_the_file_stand_over_the_architectures_five() -> None:
    data = platform_data("prod") | {"namespaces": {"extra": {"podSecurity": "baseline"}}}
    config = parse(data, PlatformConfig, region="us-west-2")
    assert set(config.namespaces) == {
        "ai-gateway",
        "ai-agents",
        "ai-inference",
        "ai-data",
        "observability",
        "extra",
    }


def test_the_configuration_is_frozen() -> None:
    config = parse(platform_data("local"), PlatformConfig, region=None)
    with pytest.raises(ValidationError, match="frozen"):
        config.protect = True  # type: ignore[misc] # that this is refused is what is tested


def test_paths_of_the_local_platform_follow_its_state_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AGENTIC_STATE_DIR", raising=False)
    assert state_path(".local/kubeconfig") == CHECKOUT / ".local/kubeconfig"
    monkeypatch.setenv("AGENTIC_STATE_DIR", "/elsewhere")
    assert str(state_path(".local/kubeconfig")) == "/elsewhere/kubeconfig"
    assert state_path("agents/x.yaml") == CHECKOUT / "agents/x.yaml"


def test_a_tenant_stack_names_its_platform_once() -> None:
    data = platform_data("tenant-a") | {"platform": {"stack": "organization/agentic-platform/prod"}}
    with pytest.raises(pulumi.RunError, match="exactly one of 'platform' and 'cluster'"):
        parse(data, TenantStackConfig, region=None)


def test_local_secrets_come_from_files_and_dev_secrets_from_aws() -> None:
    local = parse(platform_data("local"), PlatformConfig, region=None)
    assert isinstance(local.secrets, DirectoryConfig)
    dev = parse(platform_data("dev"), PlatformConfig, region="us-west-2")
    assert dev.secrets.source == "externalSecrets"
