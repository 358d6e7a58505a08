"""The rate limit service as an object of the cluster, and its rules."""

from typing import Any

import pytest

from components.gateway_config import GatewayConfig
from components.gateway_secrets import gateway_entries
from components.ratelimit import RateLimitService, manifests
from components.ratelimit_config import LimitsConfig
from components.ratelimit_rules import service_configuration
from components.secret_store import PLATFORM_SECRETS
from tests.components.pod_check import admit_pod
from tests.harness.api_server import ApiServer
from tests.harness.recording import record

RULES = [
    {"per": "month", "tokens": 1000, "tenant": "demo"},
    {"per": "day", "requests": 5, "model": "a"},
    {"per": "day", "requests": 6, "model": "b"},
    {"per": "day", "requests": 9, "model": "a", "tenant": "demo"},
]
LIMITS = LimitsConfig.model_validate({"rules": RULES})


def _objects(limits: LimitsConfig = LIMITS) -> dict[str, Any]:
    return manifests(
        limits, namespace="ai-gateway", store="redis:6379", tls=True, password_secret="auth"
    )


@pytest.mark.unit
def test_a_tenants_own_rule_leaves_the_other_models_to_everybodys() -> None:
    def limit(unit: str, amount: int) -> dict[str, Any]:
        return {"rate_limit": {"unit": unit, "requests_per_unit": amount}}

    def model(name: str, amount: int) -> dict[str, Any]:
        return {"key": "x-model-id", "value": name} | limit("day", amount)

    assert service_configuration(LIMITS) == {
        "domain": "ai-gateway",
        "descriptors": [
            {
                "key": "limit",
                "value": "tokens-month",
                "descriptors": [{"key": "x-tenant-id", "value": "demo"} | limit("month", 1000)],
            },
            {
                "key": "limit",
                "value": "requests-day-model",
                "descriptors": [
                    {"key": "x-tenant-id", "descriptors": [model("a", 5), model("b", 6)]},
                    {
                        "key": "x-tenant-id",
                        "value": "demo",
                        "descriptors": [model("a", 9), model("b", 6)],
                    },
                ],
            },
        ],
    }


@pytest.mark.api_server
def test_the_api_server_accepts_it_under_the_level_restricted(api_server: ApiServer) -> None:
    objects = _objects()
    for manifest in objects.values():
        api_server.dry_run(manifest)
    admit_pod(api_server, objects["deployment"], level="restricted")


@pytest.mark.unit
def test_the_stores_own_ca_is_brought_by_a_certificate_of_its_issuer() -> None:
    objects = manifests(
        LIMITS,
        namespace="ai-gateway",
        store="redis:6379",
        tls=True,
        password_secret="auth",
        store_issuer="internal",
    )
    certificate = objects["store-ca"]["spec"]
    assert certificate["issuerRef"]["name"] == "internal"
    pod = objects["deployment"]["spec"]["template"]["spec"]
    (volume,) = [each["secret"] for each in pod["volumes"] if each["name"] == "ca"]
    assert volume["secretName"] == certificate["secretName"]
    assert [item["key"] for item in volume["items"]] == ["ca.crt"]
    (mount,) = [it for it in pod["containers"][0]["volumeMounts"] if it["name"] == "ca"]
    environment = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
    assert environment["REDIS_TLS_CACERT"] == f"{mount['mountPath']}/ca.crt"
    assert "store-ca" not in _objects()


@pytest.mark.unit
def test_the_password_is_no_plain_value_and_new_rules_make_new_pods() -> None:
    template = _objects()["deployment"]["spec"]["template"]
    environment = {each["name"]: each for each in template["spec"]["containers"][0]["env"]}
    assert "valueFrom" in environment["REDIS_AUTH"]
    assert environment["REDIS_TLS"]["value"] == "true"
    other = LimitsConfig.model_validate({"rules": RULES[:1]})
    changed = _objects(other)["deployment"]["spec"]["template"]
    assert changed["metadata"]["annotations"] != template["metadata"]["annotations"]


@pytest.mark.unit
@pytest.mark.parametrize(
    ("image", "command"),
    [
        (None, ["/bin/ratelimit"]),
        ("process.local/ratelimit:dev", ["python", "-m", "local.workloads.rate_limit_service"]),
    ],
)
def test_the_local_plane_runs_the_same_program(image: str | None, command: list[str]) -> None:
    limits = LIMITS.model_copy(update={"image": image})
    container = _objects(limits)["deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == command


@pytest.mark.unit
def test_the_component_makes_everything_after_its_rules() -> None:
    def build() -> dict[str, Any]:
        service = RateLimitService(
            "limits",
            limits=LIMITS,
            namespace="ai-gateway",
            store_host="redis",
            store_port=6379,
            store_tls=False,
            password_secret="auth",
        )
        return {"host": service.host}

    made = record(build)
    assert made.values["host"] == "ratelimit"
    kinds = {each.type.split(":")[-1] for each in made.resources}
    assert kinds >= {"ConfigMap", "Deployment", "Service", "PodDisruptionBudget"}


@pytest.mark.unit
def test_the_cluster_holds_hashes_where_another_operator_reads_the_keys() -> None:
    config = GatewayConfig.model_validate(
        {
            "variant": "agentgateway",
            "limits": {"rules": RULES[:1]},
            "providers": {"p": {"host": "h", "key": "p-key"}},
            "models": [
                {
                    "name": "m",
                    "backends": [{"service": "s", "picker": "e"}],
                    "hosted": [{"provider": "p", "model": "x"}],
                }
            ],
        }
    )
    keys = {"tenant-a": "source-a"}
    found = {
        entry.name: entry
        for entry in gateway_entries(config, keys, known=False, entries=PLATFORM_SECRETS)
    }
    literal = found["gateway-key-hashes"].literals["tenant-a"]
    assert "sha256:{{ index . `tenant-a` | sha256sum }}" in literal
    assert found["provider-p"].namespaces == ("ai-inference",)
    assert found["session-store-auth"].namespaces == ("ai-gateway",)
    known = gateway_entries(config, keys, known=True, entries=PLATFORM_SECRETS)
    assert "gateway-key-hashes" not in {entry.name for entry in known}
