"""Mistakes about the gateway in a stack file: one line each, before anything is made."""

import json
from typing import Any

import pulumi
import pytest

from infra import stack
from infra.config import PlatformConfig, parse
from tests.harness.cloud import CALLER, cloud_outputs
from tests.harness.recording import record
from tests.infra.stack_data import platform_data

pytestmark = pytest.mark.unit

OWN = [{"service": "gemma-3-270m"}]


def _mistakes(**gateway: Any) -> list[str]:
    data = platform_data("local")
    keys = gateway.pop("keys", None)
    if keys is not None:
        data["gatewayKeys"] = keys
    names = {model["name"] for model in gateway.get("models", ())}
    kept = [model for model in data["gateway"]["models"] if model["name"] not in names]
    data["gateway"] |= gateway | {"models": [*kept, *gateway.get("models", ())]}
    with pytest.raises(pulumi.RunError) as caught:
        parse(data, PlatformConfig, region=None)
    return str(caught.value).splitlines()[1:]


def _model(**fields: Any) -> dict[str, Any]:
    return {"name": "m", "backends": OWN} | fields


@pytest.mark.parametrize(
    ("gateway", "says"),
    [
        (
            {"models": [_model(backends=[OWN[0] | {"weight": 80}, OWN[0] | {"weight": 30}])]},
            "the weights 80, 30 sum to 110; they must sum to 100",
        ),
        (
            {"models": [_model(backends=[{"service": "gemma-3-270"}])]},
            "backends[0].service: got 'gemma-3-270', which is no model server; "
            "did you mean 'gemma-3-270m'?",
        ),
        ({"models": [_model(), _model()]}, "the name 'm' has 2 routes"),
        ({"models": [_model(fallbacks=["n"])]}, "'m' falls back to 'n', which has no route"),
        (
            {"models": [_model(hosted=[{"provider": "p", "model": "x"}])]},
            "'m' falls back to the provider 'p', which is not there",
        ),
        (
            {"keys": {"demo": "one", "other": "one"}},
            "gatewayKeys.other: got 'one', the key of tenant 'demo' too",
        ),
        ({"keys": {}, "jwt": None}, "nobody could call the gateway"),
        (
            {"providers": {"aws": {"kind": "bedrock", "region": "us-west-2"}}},
            "gateway.providers.aws.key: missing; only on a cluster of EKS",
        ),
        (
            {"models": [_model(backends=[OWN[0] | {"picker": "p"}])]},
            "nobody serves InferencePools without a controller; leave picker out",
        ),
        (
            {"limits": {"rules": [{"per": "day", "tokens": 1, "model": "n"}]}},
            "a rule names the model 'n', which has no route",
        ),
    ],
)
def test_a_mistake_is_one_line(gateway: dict[str, Any], says: str) -> None:
    (line,) = _mistakes(**gateway)
    assert says in line
    assert line.startswith("gateway")


def test_a_model_of_another_namespace_is_taken_on_trust() -> None:
    data = platform_data("local")
    backend = {"service": "shared", "namespace": "tenant-a"}
    data["gateway"]["models"].append({"name": "theirs", "backends": [backend]})
    parse(data, PlatformConfig, region=None)


def test_the_variant_envoy_must_know_the_keys() -> None:
    data = platform_data("prod")
    data["gateway"]["variant"] = "envoy"
    with pytest.raises(pulumi.RunError, match="choose 'kgateway' or 'agentgateway'"):
        parse(data, PlatformConfig, region="us-west-2")


def test_a_picker_needs_its_network_policies() -> None:
    data = platform_data("prod")
    data["gateway"]["variant"] = "agentgateway"
    backends = [{"service": "vllm-gpt4-primary", "picker": "p"}]
    data["gateway"]["models"].append({"name": "m", "backends": backends})
    data["networkPolicies"] = {"endpointPickers": False}
    with pytest.raises(pulumi.RunError, match=r"networkPolicies\.endpointPickers: got false"):
        parse(data, PlatformConfig, region="us-west-2")


@pytest.mark.parametrize("variant", ["kgateway", "agentgateway"])
def test_a_stack_that_asks_much_of_its_gateway_is_built(variant: str) -> None:
    data = platform_data("prod")
    rule = {"per": "month", "tenant": "demo"}
    llm = variant == "agentgateway"
    counted = {"tokens": 1000} if llm else {"requests": 1000}
    agents = [{"name": "customer-support-agent", "grpcPort": 9000, "tenants": ["demo"]}]
    more: dict[str, Any] = {"limits": {"rules": [rule | counted]}, "agents": agents}
    if llm:
        more["providers"] = {"aws": {"kind": "bedrock", "region": "us-west-2"}}
        backends = [{"service": "vllm-gpt4-primary", "picker": "gpt4-picker"}]
        hosted = [{"provider": "aws", "model": "openai.gpt-oss-120b-1:0"}]
        model = {"name": "m", "strategy": "latency", "backends": backends, "hosted": hosted}
        more["models"] = [*data["gateway"]["models"], model]
        data["networkPolicies"]["endpointPickers"] = True
        data["definitions"].append("inference-extension")
    data["gateway"] |= {"variant": variant} | more
    config = parse(data, PlatformConfig, region="us-west-2")
    made = record(lambda: stack.build(config, "us-west-2"), answers=CALLER, outputs=cloud_outputs)
    inputs = {each.name: each.inputs for each in made.resources}
    assert {"limits-deployment", "gateway-gateway", "gateway-route", "gateway-limits"} <= {*inputs}
    hashed = "gateway-key-hashes" if llm else "gateway-api-keys"
    assert any(hashed in name for name in inputs), sorted(inputs)
    (rule,) = inputs["gateway-grpc"]["spec"]["rules"]
    assert rule["backendRefs"][0]["name"] == "customer-support-agent"
    assert rule["backendRefs"][0]["port"] == 9000
    if llm:
        assert "gateway-picker-ai-inference-vllm-gpt4-primary-deployment" in inputs
        (document,) = [
            each.inputs["policy"]
            for each in made.resources
            if each.name == "gateway-bedrock" and "policy" in each.inputs
        ]
        (policy,) = json.loads(document)["Statement"]
        model_arn = "arn:aws:bedrock:us-west-2::foundation-model/openai.gpt-oss-120b-1:0"
        assert policy["Resource"] == [model_arn]
