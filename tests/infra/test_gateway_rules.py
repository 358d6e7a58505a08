"""Mistakes about the gateway in a stack file: one line each, before anything is made."""

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


@pytest.mark.parametrize("variant", ["kgateway", "agentgateway"])
def test_a_stack_with_limits_and_another_gateway_is_built(variant: str) -> None:
    data = platform_data("prod")
    rule = {"per": "month", "tenant": "demo"}
    counted = {"tokens": 1000} if variant == "agentgateway" else {"requests": 1000}
    data["gateway"] |= {"variant": variant, "limits": {"rules": [rule | counted]}}
    config = parse(data, PlatformConfig, region="us-west-2")
    made = record(lambda: stack.build(config, "us-west-2"), answers=CALLER, outputs=cloud_outputs)
    names = {each.name for each in made.resources}
    assert {"limits-deployment", "gateway-gateway", "gateway-route", "gateway-limits"} <= names
    hashed = "gateway-key-hashes" if variant == "agentgateway" else "gateway-api-keys"
    assert any(hashed in name for name in names), sorted(names)
