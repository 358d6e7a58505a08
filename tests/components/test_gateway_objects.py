"""The gateway's Kubernetes objects: accepted by a real API server with the real definitions."""

import copy
from typing import Any

import pytest

from components import envoy_gateway, kgateway_objects, model_route
from components.envoy_bootstrap import bootstrap, render
from components.gateway import Gateway
from components.gateway_config import GatewayConfig, JwtConfig, RateLimitConfig
from inference.routing import AgentRoute, Backend, ModelRoute, RouteTable
from local.kube import ApiError
from tests.components.pod_check import admit_pod
from tests.harness.api_server import ApiServer
from tests.harness.recording import record

ARCHITECTURE = RouteTable(
    models=(
        ModelRoute(
            name="gpt-4",
            backends=(
                Backend(service="vllm-gpt4-primary", weight=80),
                Backend(service="vllm-gpt4-canary", weight=20),
            ),
        ),
        ModelRoute(name="claude-3", backends=(Backend(service="vllm-claude3"),)),
        ModelRoute(name="mixtral-8x7b", backends=(Backend(service="tgi-mixtral", port=8080),)),
    ),
    agents=(AgentRoute(name="customer-support-agent"),),
)
EVERYTHING = RouteTable(
    models=(
        *ARCHITECTURE.models,
        ModelRoute(
            name="Org/Quick-1.5",
            strategy="latency",
            backends=(Backend(service="q1"), Backend(service="q2")),
            tenants=("tenant-a",),
        ),
        ModelRoute(
            name="ordered",
            strategy="fallback",
            backends=(Backend(service="o1"), Backend(service="o2")),
            fallbacks=("gpt-4",),
        ),
        ModelRoute(
            name="chosen",
            strategy="header",
            backends=(
                Backend(service="c1", headers={"x-tenant-id": "tenant-a"}),
                Backend(service="c2"),
            ),
        ),
        ModelRoute(
            name="vectors", paths=("/v1/embeddings",), backends=(Backend(service="vectors"),)
        ),
    ),
    agents=(
        AgentRoute(name="customer-support-agent"),
        AgentRoute(name="secret-agent", namespace="tenant-a", tenants=("tenant-a",)),
    ),
)
JWT = JwtConfig(issuer="https://idp.example.com", audience="agents")
REMOTE = JWT.model_copy(update={"jwks_url": "https://idp.example.com/keys"})
CONFIGS: dict[str, tuple[GatewayConfig, dict[str, Any]]] = {
    "keys of the issuer": (GatewayConfig(variant="kgateway", jwt=REMOTE), {}),
    "keys given": (GatewayConfig(variant="kgateway", jwt=JWT, public=True), {"jwks": "{}"}),
    "API keys": (GatewayConfig(variant="kgateway", rate_limit=None), {"api_key_secret": "keys"}),
}


def _kgateway(config: GatewayConfig, routes: RouteTable, **given: Any) -> dict[str, Any]:
    return kgateway_objects.manifests(
        config, namespace="ai-gateway", **given
    ) | model_route.manifests(routes, gateway="ai-gateway", namespace="ai-gateway")


def _envoy(config: GatewayConfig) -> dict[str, Any]:
    text = render(bootstrap(config, ARCHITECTURE, api_keys={"demo": "sk-demo"}))
    return envoy_gateway.manifests(
        config, namespace="ai-gateway", bootstrap=text, digest="0123456789abcdef"
    )


@pytest.mark.unit
def test_the_route_is_the_architectures() -> None:
    route = _kgateway(*CONFIGS["API keys"][:1], ARCHITECTURE, api_key_secret="keys")["route"]
    assert (route["metadata"]["name"], route["metadata"]["namespace"]) == (
        "inference-routing",
        "ai-gateway",
    )
    assert [parent["name"] for parent in route["spec"]["parentRefs"]] == ["ai-gateway"]
    found = [
        (
            [(m["path"]["type"], m["path"]["value"]) for m in rule["matches"]],
            [(h["name"], h["value"]) for h in rule["matches"][0]["headers"]],
            [(ref["name"], ref["port"], ref.get("weight")) for ref in rule["backendRefs"]],
        )
        for rule in route["spec"]["rules"]
    ]
    chat = [("PathPrefix", "/v1/chat/completions")]
    assert found == [
        (
            chat,
            [("x-model-id", "gpt-4")],
            [("vllm-gpt4-primary", 8000, 80), ("vllm-gpt4-canary", 8000, 20)],
        ),
        (chat, [("x-model-id", "claude-3")], [("vllm-claude3", 8000, None)]),
        (chat, [("x-model-id", "mixtral-8x7b")], [("tgi-mixtral", 8080, None)]),
    ]


@pytest.mark.api_server
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("routes", [ARCHITECTURE, EVERYTHING], ids=["architecture", "everything"])
def test_the_api_server_accepts_every_object_of_kgateway(
    api_server: ApiServer, name: str, routes: RouteTable
) -> None:
    api_server.load_crds("gateway-api", "kgateway")
    config, given = CONFIGS[name]
    for manifest in _kgateway(config, routes, **given).values():
        api_server.dry_run(manifest)


@pytest.mark.api_server
@pytest.mark.parametrize(
    ("what", "path", "value", "says"),
    [
        ("policy", ("spec", "rateLimit", "local", "tokenBucket", "fillInterval"), "1", "invalid"),
        ("policy", ("spec", "tokenBudget"), 1, "unknown field"),
        ("parameters", ("spec", "selfManaged"), {}, "exactly one of"),
        ("route", ("spec", "rules"), [{"name": "UPPER"}], "rules"),
        ("listener", ("spec", "targetRefs"), [{"kind": "Service", "name": "x"}], "targetRefs"),
    ],
)
def test_the_api_server_refuses_what_the_definitions_do_not_know(
    api_server: ApiServer, what: str, path: tuple[str, ...], value: Any, says: str
) -> None:
    api_server.load_crds("gateway-api", "kgateway")
    config, given = CONFIGS["keys given"]
    manifest = copy.deepcopy(_kgateway(config, ARCHITECTURE, **given)[what])
    place = manifest
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ApiError, match=says):
        api_server.dry_run(manifest)


@pytest.mark.api_server
def test_the_api_server_accepts_the_plain_envoy_under_the_level_restricted(
    api_server: ApiServer,
) -> None:
    objects = _envoy(GatewayConfig(variant="envoy"))
    for manifest in objects.values():
        api_server.dry_run(manifest)
    admit_pod(api_server, objects["deployment"], level="restricted")


@pytest.mark.unit
def test_the_envoy_pod_rolls_out_with_its_configuration() -> None:
    deployment = _envoy(GatewayConfig(variant="envoy"))["deployment"]
    annotations = deployment["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"agentic.dev/bootstrap-digest": "0123456789abcdef"}


@pytest.mark.unit
@pytest.mark.parametrize(
    ("config", "given", "says"),
    [
        (GatewayConfig(variant="kgateway", jwt=JWT), {}, "needs its keys once"),
        (GatewayConfig(variant="kgateway", jwt=REMOTE), {"jwks": "{}"}, "needs its keys once"),
        (
            GatewayConfig(variant="kgateway", jwt=REMOTE),
            {"api_key_secret": "keys"},
            "never for one of them",
        ),
        (GatewayConfig(variant="kgateway"), {}, "nobody could call it"),
        (
            GatewayConfig(
                variant="kgateway", jwt=REMOTE, rate_limit=RateLimitConfig(tenants={"a": 1})
            ),
            {},
            "counts all tenants together",
        ),
    ],
)
def test_what_kgateway_can_not_do_is_refused_with_the_reason(
    config: GatewayConfig, given: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        kgateway_objects.manifests(config, namespace="ai-gateway", **given)


@pytest.mark.unit
def test_kgateway_refuses_fallbacks_of_a_weighted_model() -> None:
    routes = RouteTable(
        models=(
            ModelRoute(name="a", backends=(Backend(service="a"),), fallbacks=("b",)),
            ModelRoute(name="b", backends=(Backend(service="b"),)),
        )
    )
    with pytest.raises(ValueError, match="fallbacks need strategy 'fallback'"):
        model_route.manifests(routes, gateway="ai-gateway", namespace="ai-gateway")


@pytest.mark.unit
def test_a_grant_opens_only_the_services_of_the_routes() -> None:
    found = model_route.manifests(EVERYTHING, gateway="ai-gateway", namespace="ai-gateway")
    grant = found["grant-tenant-a"]
    assert grant["metadata"]["namespace"] == "tenant-a"
    assert grant["spec"]["to"] == [{"group": "", "kind": "Service", "name": "secret-agent"}]


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
    assert [each.name for each in made.of_type("HTTPRoute")] == [
        "gateway-route",
        "gateway-agents",
        "gateway-model-list-route",
    ]
    assert made.values["url"] == "http://ai-gateway.ai-gateway.svc.cluster.local:80"
