"""What a gateway can't do is refused with the reason, and the documentation says the same."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from components.agentgateway_objects import key_entries
from components.gateway_config import GatewayConfig
from components.gateway_support import FEATURES, VARIANTS, refusals, table
from inference.routing import RouteTable

pytestmark = pytest.mark.unit

PAGE = Path(__file__).parents[2] / "docs" / "gateway.md"
A = {"name": "a", "backends": [{"service": "a"}]}
B = {"name": "b", "backends": [{"service": "b"}]}
HOSTED = {"provider": "aws", "model": "m"}
AWS = {"kind": "bedrock", "region": "us-west-2"}
KEYED = AWS | {"key": "k"}
ASKS: dict[str, tuple[dict[str, Any], dict[str, Any], set[str]]] = {
    "fallbacks of a weighted, header or latency model": (
        {},
        {"models": [A | {"fallbacks": ["b"]}, B]},
        {"kgateway"},
    ),
    "hosted models (Bedrock, OpenAI-compatible APIs)": (
        {"providers": {"aws": KEYED}},
        {"models": [A | {"hosted": [HOSTED]}], "providers": {"aws": KEYED}},
        {"kgateway"},
    ),
    "endpoint picker (InferencePool)": (
        {},
        {"models": [{"name": "a", "backends": [{"service": "a", "picker": "p"}]}]},
        {"kgateway", "envoy"},
    ),
    "more than eight backends that stand in for each other": (
        {},
        {
            "models": [
                {
                    "name": "a",
                    "strategy": "fallback",
                    "backends": [{"service": f"s{number}"} for number in range(9)],
                }
            ]
        },
        {"agentgateway"},
    ),
    "paths that are no API of a language model": (
        {},
        {"models": [A | {"paths": ["/v1/images"]}]},
        {"agentgateway"},
    ),
    "rateLimit of single tenants, in each Pod": (
        {"rateLimit": {"tenants": {"t": 1}}},
        {},
        {"kgateway", "agentgateway"},
    ),
    "rateLimit in windows of any length": ({"rateLimit": {"seconds": 7}}, {}, {"agentgateway"}),
    "limits of tokens and token budgets, over all Pods": (
        {"limits": {"rules": [{"per": "month", "tokens": 1}]}},
        {},
        {"kgateway"},
    ),
}


def _refused(variant: str, config: dict[str, Any], routes: dict[str, Any]) -> list[str]:
    made = GatewayConfig.model_validate({"variant": variant} | config)
    return refusals(made, RouteTable.model_validate(routes))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", ASKS)
def test_each_gateway_refuses_what_it_can_not_do_and_nothing_else(variant: str, name: str) -> None:
    config, routes, unable = ASKS[name]
    said = [line for line in _refused(variant, config, routes) if name in line]
    assert bool(said) == (variant in unable), said
    for line in said:
        assert variant in line
        assert "\n" not in line
        assert ";" in line, "no way out"


def test_every_gap_of_the_table_is_asked_for_above() -> None:
    gaps = {feature.name: set(feature.lacks) for feature in FEATURES if feature.lacks}
    assert gaps == {name: unable for name, (_, _, unable) in ASKS.items()}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("strategy", ["weight", "header", "latency", "fallback"])
def test_every_gateway_knows_all_four_strategies(variant: str, strategy: str) -> None:
    backends: list[dict[str, Any]] = [{"service": "a"}, {"service": "b"}]
    if strategy == "weight":
        backends = [each | {"weight": 50} for each in backends]
    if strategy == "header":
        backends[0]["headers"] = {"x-tier": "gold"}
    routes = {"models": [{"name": "m", "strategy": strategy, "backends": backends}]}
    assert _refused(variant, {}, routes) == []


def test_names_that_become_one_object_are_refused() -> None:
    routes = {"models": [A | {"name": "Org/Model-1.5"}, B | {"name": "org-model-1-5"}]}
    (line,) = _refused("envoy", {}, routes)
    assert "'Org/Model-1.5' and 'org-model-1-5' both become 'org-model-1-5'" in line


def test_a_picker_of_two_pools_is_refused() -> None:
    backends = [{"service": name, "picker": "p"} for name in ("a", "b")]
    routes = {"models": [{"name": "m", "strategy": "latency", "backends": backends}]}
    (line,) = _refused("agentgateway", {}, routes)
    assert "'a' and 'b' both name the picker 'p'" in line


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ([{"per": "month"}], "either requests or tokens"),
        ([{"per": "month", "tokens": 1, "requests": 1}], "either requests or tokens"),
        ([{"per": "fortnight", "tokens": 1}], "'second', 'minute'"),
        ([{"per": "month", "tokens": 2**32}], "4294967295"),
        ([{"per": "day", "tokens": 1}, {"per": "day", "tokens": 2}], "two limits of tokens-day"),
        ([], "at least 1"),
    ],
)
def test_limits_that_can_not_work_are_refused(limits: list[Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        GatewayConfig.model_validate({"variant": "envoy", "limits": {"rules": limits}})


def test_a_limit_of_an_unknown_model_is_refused() -> None:
    limits = {"limits": {"rules": [{"per": "day", "requests": 1, "model": "gtp-4"}]}}
    (line,) = _refused("envoy", limits, {"models": [A]})
    assert "'gtp-4', which has no route; models: a" in line


@pytest.mark.parametrize(
    ("provider", "says"),
    [
        ({"kind": "bedrock"}, "needs a region"),
        ({"kind": "bedrock", "region": "us-west-2", "host": "h"}, "needs a region and no host"),
        ({"host": "h"}, "needs a key"),
        ({}, "needs a host"),
    ],
)
def test_a_provider_without_its_place_is_refused(provider: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        GatewayConfig.model_validate({"variant": "envoy", "providers": {"p": provider}})


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(ValidationError, match="did you mean 'aws'"):
        RouteTable.model_validate(
            {
                "models": [A | {"hosted": [{"provider": "aws2", "model": "m"}]}],
                "providers": {"aws": AWS},
            }
        )


@pytest.mark.parametrize(
    ("tls", "says"),
    [
        ({}, "either issuer or certificateArn"),
        ({"issuer": "ca"}, "hostNames belong to issuer"),
        ({"certificateArn": "arn:aws:acm:x", "hostNames": ["a.b"]}, "hostNames belong to issuer"),
    ],
)
def test_tls_without_a_certificate_is_refused(tls: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        GatewayConfig.model_validate({"variant": "envoy", "tls": tls})


def test_the_documentation_has_the_table() -> None:
    assert table() in PAGE.read_text("utf-8"), "paste components.gateway_support.table()"


def test_agentgateway_gets_hashes_of_keys_alone() -> None:
    entries = key_entries({"demo": "sk-demo"})
    assert "sk-demo" not in str(entries)
    digest = hashlib.sha256(b"sk-demo").hexdigest()
    assert json.loads(entries["demo"]) == {
        "keyHash": f"sha256:{digest}",
        "metadata": {"tenant": "demo"},
    }
