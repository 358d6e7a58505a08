"""The gateway's Kubernetes objects: what they say of routes, credentials and order."""

from typing import Any

import pytest

from components import (
    model_route,
)
from components.gateway import Gateway
from components.gateway_config import GatewayConfig
from tests.components.gateway_tables import (
    ACM,
    AGENTGATEWAYS,
    ARCHITECTURE,
    CONFIGS,
    EVERYTHING,
    JWT,
    REMOTE,
    TLS,
    WITH_MORE,
    agentgateway_of,
    envoy_of,
    kgateway_of,
)
from tests.harness.recording import record


def _found(route: dict[str, Any]) -> list[Any]:
    return [
        (
            [(m["path"]["type"], m["path"]["value"]) for m in rule["matches"]],
            [(h["name"], h["value"]) for h in rule["matches"][0]["headers"]],
            [(ref["name"], ref.get("port"), ref.get("weight")) for ref in rule["backendRefs"]],
        )
        for rule in route["spec"]["rules"]
    ]


CHAT = [("PathPrefix", "/v1/chat/completions")]


@pytest.mark.unit
def test_the_route_is_the_architectures() -> None:
    route = kgateway_of(*CONFIGS["API keys"][:1], ARCHITECTURE, api_key_secret="keys")["route"]
    assert (route["metadata"]["name"], route["metadata"]["namespace"]) == (
        "inference-routing",
        "ai-gateway",
    )
    assert [parent["name"] for parent in route["spec"]["parentRefs"]] == ["ai-gateway"]
    assert _found(route) == [
        (
            CHAT,
            [("x-model-id", "gpt-4")],
            [("vllm-gpt4-primary", 8000, 80), ("vllm-gpt4-canary", 8000, 20)],
        ),
        (CHAT, [("x-model-id", "claude-3")], [("vllm-claude3", 8000, None)]),
        (CHAT, [("x-model-id", "mixtral-8x7b")], [("tgi-mixtral", 8080, None)]),
    ]


@pytest.mark.unit
def test_agentgateway_gets_the_same_routes_to_backends_of_its_own() -> None:
    objects = agentgateway_of(AGENTGATEWAYS["API keys"][0], ARCHITECTURE, api_keys=True)
    route = objects["route"]
    assert route["metadata"]["name"] == "inference-routing"
    assert _found(route)[:2] == [
        (CHAT, [("x-model-id", "gpt-4")], [("gpt-4-0", None, 80), ("gpt-4-1", None, 20)]),
        (CHAT, [("x-model-id", "claude-3")], [("claude-3", None, None)]),
    ]
    groups = objects["backend-gpt-4-1"]["spec"]["ai"]["groups"]
    (provider,) = groups[0]["providers"]
    host = "vllm-gpt4-canary.ai-inference.svc.cluster.local"
    assert (provider["host"], provider["port"], len(groups)) == (host, 8000, 1)


@pytest.mark.unit
def test_agentgateways_groups_are_asked_in_the_order_of_the_route() -> None:
    objects = agentgateway_of(AGENTGATEWAYS["API keys"][0], WITH_MORE, api_keys=True)

    def order(name: str) -> list[list[str]]:
        groups = objects[f"backend-{name}"]["spec"]["ai"]["groups"]
        return [[provider["name"] for provider in group["providers"]] for group in groups]

    gpt4 = [["vllm-gpt4-primary.ai-inference"], ["vllm-gpt4-canary.ai-inference"]]
    assert order("ordered") == [["o1.ai-inference"], ["o2.ai-inference"], *gpt4]
    assert order("pooled") == [
        ["pool-a.ai-inference", "pool-b.ai-inference"],
        *gpt4,
        ["hosted.bedrock.openai-gpt-oss-120b-1-0"],
    ]
    assert order("covered-1")[:2] == [["b.ai-inference"], ["a.ai-inference"]]
    assert order("chosen-0") == [["c1.ai-inference"]]
    assert "picker-ai-inference-pool-a-deployment" in objects
    pool = objects["pool-ai-inference-pool-a"]
    picker = pool["spec"]["endpointPickerRef"]
    service = objects["picker-ai-inference-pool-a-service"]
    assert (service["metadata"]["name"], service["metadata"]["namespace"]) == (
        picker["name"],
        pool["metadata"]["namespace"],
    )
    assert picker["port"]["number"] in [each["port"] for each in service["spec"]["ports"]]
    assert pool["metadata"]["namespace"] == "ai-inference"
    assert objects["backend-pooled"]["metadata"]["namespace"] == "ai-inference"
    assert "AgentgatewayBackend" in {
        each["kind"] for each in objects["grant-ai-inference"]["spec"]["to"]
    }


@pytest.mark.unit
def test_with_tls_only_the_encrypted_port_leaves_the_cluster() -> None:
    for tls, target in ((TLS, "https"), (ACM, "http")):
        objects = envoy_of(GatewayConfig(variant="envoy", tls=tls))
        assert "type" not in objects["service"]["spec"]
        outside = objects["tls"]["spec"]
        ports = [(port["port"], port["targetPort"]) for port in outside["ports"]]
        assert (outside["type"], ports) == ("LoadBalancer", [(443, target)])
    annotations = objects["tls"]["metadata"]["annotations"]
    assert ACM.certificate_arn in annotations.values()


@pytest.mark.unit
def test_kgateway_takes_keys_and_tokens_each_by_a_route_of_its_own() -> None:
    config, given = CONFIGS["both, limits, TLS"]
    objects = kgateway_of(config, ARCHITECTURE, **given)
    names = {it["metadata"]["name"] for it in objects.values() if it["kind"] == "HTTPRoute"}
    assert {"inference-routing", "inference-routing-tokens"} <= names
    for what, field in (("keys-policy", "apiKeyAuth"), ("tokens-policy", "jwtAuth")):
        policy = objects[what]["spec"]
        assert field in policy
        targets = {each["name"] for each in policy["targetRefs"]}
        assert targets == {
            name for name in names if name.endswith("-tokens") == (field == "jwtAuth")
        }
    assert not {"apiKeyAuth", "jwtAuth"} & objects["policy"]["spec"].keys()
    for rule in objects["route-tokens"]["spec"]["rules"]:
        for match in rule["matches"]:
            assert match["headers"][-1]["name"] == "authorization"


@pytest.mark.unit
def test_the_envoy_pod_rolls_out_with_its_configuration() -> None:
    deployment = envoy_of(GatewayConfig(variant="envoy"))["deployment"]
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"agentic.dev/bootstrap-digest": "0123456789abcdef"}


@pytest.mark.unit
@pytest.mark.parametrize(
    ("config", "given", "says"),
    [
        (GatewayConfig(variant="kgateway", jwt=JWT), {}, "needs its keys once"),
        (GatewayConfig(variant="kgateway", jwt=REMOTE), {"jwks": "{}"}, "needs its keys once"),
        (GatewayConfig(variant="kgateway"), {}, "nobody could call it"),
    ],
)
def test_a_gateway_without_a_way_in_is_refused(
    config: GatewayConfig, given: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        kgateway_of(config, ARCHITECTURE, **given)


@pytest.mark.unit
def test_a_grant_opens_only_the_services_of_the_routes() -> None:
    found = model_route.manifests(EVERYTHING, gateway="ai-gateway", namespace="ai-gateway")
    grant = found["grant-tenant-a"]
    assert grant["metadata"]["namespace"] == "tenant-a"
    assert grant["spec"]["to"] == [{"group": "", "kind": "Service", "name": "secret-agent"}]


@pytest.mark.unit
def test_the_policy_of_a_fallback_group_names_the_group() -> None:
    found = model_route.manifests(EVERYTHING, gateway="ai-gateway", namespace="ai-gateway")
    policy = found["fallback-ordered-policy"]["spec"]
    group = found["fallback-ordered"]
    assert group["spec"]["type"] == "PriorityGroups"
    assert [each["name"] for each in policy["targetRefs"]] == [group["metadata"]["name"]]
    outliers = policy["outlierDetection"]
    assert (outliers["consecutive5xx"], outliers["maxEjectionPercent"]) == (1, 100)


@pytest.mark.unit
def test_the_bootstrap_is_a_secret_and_the_address_follows_from_the_namespace() -> None:
    def build() -> dict[str, Any]:
        gateway = Gateway(
            "gateway",
            config=GatewayConfig(variant="envoy", port=18080),
            routes=ARCHITECTURE,
            namespace="ai-gateway",
            api_keys={"demo": "sk-demo"},
        )
        return {"url": gateway.url}

    made = record(build)
    assert made.values["url"] == "http://ai-gateway.ai-gateway.svc.cluster.local:18080"
    assert {each.type.split(":")[-1] for each in made.resources} >= {
        "Secret",
        "Deployment",
        "Service",
        "PodDisruptionBudget",
    }


@pytest.mark.unit
def test_the_controller_comes_before_the_gateway() -> None:
    def build() -> dict[str, Any]:
        config, _ = CONFIGS["keys of the issuer"]
        gateway = Gateway("gateway", config=config, routes=EVERYTHING, namespace="ai-gateway")
        return {"url": gateway.url}

    made = record(build)
    assert {each.name for each in made.of_type("HTTPRoute")} == {
        "gateway-route",
        "gateway-agents",
        "gateway-model-list-route",
        "gateway-unnamed-route",
    }
    (controller,) = [urn for urn in made.waits if urn.endswith(":Release::kgateway")]
    (served,) = [urn for urn in made.waits if urn.endswith(":Gateway::gateway-gateway")]
    assert controller in made.before(served)
    assert made.values["url"] == "http://ai-gateway.ai-gateway.svc.cluster.local:80"
