"""The platform's gateway on the real kgateway: what its controller says, and real requests."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.components.gateway_fixture import KEYS, signing_key, token
from tests.gateway.kgateway_stage import CONFIG, REQUESTS, Stage, conditions, stage
from tests.harness.workload import eventually

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]

JUDGED = {
    "Gateway": {"Accepted", "Programmed"},
    "HTTPRoute": {"Accepted", "ResolvedRefs"},
    "GRPCRoute": {"Accepted", "ResolvedRefs"},
    "TrafficPolicy": {"Accepted", "Attached"},
    "ListenerPolicy": {"Accepted", "Attached"},
    "BackendConfigPolicy": {"Accepted", "Attached"},
    "Backend": {"Accepted"},
    "DirectResponse": {"Accepted"},
}
"""What kgateway has to say of each kind; GatewayExtension and GatewayParameters get no status."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = stage(tmp_path_factory.mktemp("kgateway"))
    try:
        found = made.__enter__()
    except PermissionError as error:
        pytest.skip(str(error))
    try:
        eventually(lambda: _serves(found) or None, "the proxy to have its routes")
        yield found
    finally:
        made.__exit__(None, None, None)


def _serves(gateway: Stage) -> bool:
    try:
        return gateway.post(x_model_id="claude-3").status_code == 200
    except httpx.TransportError:
        return False


def _said(gateway: Stage, what: str) -> list[str]:
    """Conditions that the object still lacks, and those that say no."""
    manifest = gateway.objects[what]
    meta = manifest["metadata"]
    found = gateway.plane.client.get(
        manifest["apiVersion"], manifest["kind"], meta["name"], meta.get("namespace")
    )
    listed = conditions(found)
    missing = JUDGED[manifest["kind"]] - {each["type"] for each in listed}
    wrong = [
        f"{each['type']}: {each['reason']}: {each['message']}"
        for each in listed
        if each["status"] != "True" and each["type"] != "Conflicted"
    ]
    return [*(f"{each}: not said" for each in sorted(missing)), *wrong]


def test_the_controller_accepts_every_object(gateway: Stage) -> None:
    judged = [name for name, each in gateway.objects.items() if each["kind"] in JUDGED]
    assert {gateway.objects[name]["kind"] for name in judged} == set(JUDGED)

    def refused() -> dict[str, list[str]]:
        return {what: lines for what in judged if (lines := _said(gateway, what))}

    eventually(lambda: not refused() or None, f"all to be accepted: {refused()}")


def test_the_default_routes_share_by_weight(gateway: Stage) -> None:
    def ask(_number: int) -> str:
        return str(gateway.post(x_model_id="gpt-4").json()["backend"])

    with ThreadPoolExecutor(8) as pool:
        shares = Counter(pool.map(ask, range(1000)))
    assert set(shares) == {"vllm-gpt4-primary", "vllm-gpt4-canary"}
    # 80 % of 1000 has a standard deviation of 13; six of them are 76.
    assert 724 <= shares["vllm-gpt4-primary"] <= 876, shares
    assert gateway.post(x_model_id="claude-3").json()["backend"] == "vllm-claude3"
    assert gateway.post(x_model_id="mixtral-8x7b").json()["backend"] == "tgi-mixtral"


def test_the_body_names_the_model(gateway: Stage) -> None:
    question = {"model": "claude-3", "messages": [{"role": "user", "content": "gpt-4"}]}
    assert gateway.post(question).json()["backend"] == "vllm-claude3"
    unnamed = gateway.post({"messages": []})
    assert (unnamed.status_code, unnamed.json()["error"]["code"]) == (400, "bad_request")


def test_agents_and_tools_are_reached_by_name_and_path(gateway: Stage) -> None:
    answered = gateway.post(x_model_id="customer-support-agent")
    assert answered.json()["backend"] == "customer-support-agent"
    answered = gateway.post(path="/a2a/customer-support-agent/tasks")
    assert answered.json()["backend"] == "customer-support-agent"
    assert gateway.backends["customer-support-agent"].requests[-1]["path"] == "/tasks"
    assert gateway.post(path="/mcp/weather").json()["backend"] == "weather"
    assert gateway.backends["weather"].requests[-1]["path"] == "/mcp"


def test_headers_and_tenants_choose_and_close(gateway: Stage) -> None:
    of_tenant = f"Bearer {token(tenant='tenant-a', iss=JWT_ISSUER)}"
    assert gateway.post(x_model_id="chosen").json()["backend"] == "c2"
    chosen = gateway.post(x_model_id="chosen", authorization=of_tenant)
    assert chosen.status_code == 200, chosen.text
    assert gateway.post(x_model_id="Org/Quick-1.5").status_code == 403
    open_to = gateway.post(x_model_id="Org/Quick-1.5", authorization=of_tenant)
    assert open_to.json()["backend"] in {"q1", "q2"}


JWT_ISSUER = CONFIG.jwt.issuer if CONFIG.jwt else ""


@pytest.mark.parametrize(
    ("credentials", "status"),
    [
        (f"Bearer {KEYS['demo']}", 200),
        ("", 401),
        ("Bearer sk-unknown", 401),
        (f"Bearer {token(iss=JWT_ISSUER)}", 200),
        (f"Bearer {token(iss=JWT_ISSUER, exp=1)}", 401),
        (f"Bearer {token(iss='https://other')}", 401),
        (f"Bearer {token(iss=JWT_ISSUER, aud='others')}", 403),
        (f"Bearer {token(iss=JWT_ISSUER, key=signing_key('wrong'))}", 401),
        (f"Bearer {token(iss=JWT_ISSUER, tenant=None)}", 403),
    ],
    ids=[
        *("key", "none", "unknown key", "token", "expired", "issuer", "audience", "signature"),
        "no tenant",
    ],
)
def test_only_who_is_known_passes(gateway: Stage, credentials: str, status: int) -> None:
    answer = gateway.post(x_model_id="claude-3", authorization=credentials)
    assert answer.status_code == status, answer.text


def test_a_clients_own_identity_is_dropped(gateway: Stage) -> None:
    spoofed = gateway.post(x_model_id="claude-3", x_tenant_id="tenant-a", x_user_id="root")
    assert spoofed.status_code == 200
    headers = gateway.backends["vllm-claude3"].requests[-1]["headers"]
    assert headers["x-tenant-id"] == "demo"
    assert headers.get("x-user-id") != "root"


def test_a_limit_bites_at_the_exact_count(gateway: Stage) -> None:
    mine = f"Bearer {KEYS['platform']}"
    statuses = [
        gateway.post(x_model_id="gpt-4", authorization=mine).status_code
        for _ in range(REQUESTS + 3)
    ]
    assert statuses == [200] * REQUESTS + [429] * 3


def test_the_next_backend_answers_for_a_failing_one(gateway: Stage) -> None:
    assert gateway.post(x_model_id="ordered").json()["backend"] == "o1"
    gateway.backends["o1"].status = 503
    try:
        answers = [gateway.post(x_model_id="ordered") for _ in range(20)]
    finally:
        gateway.backends["o1"].status = 200
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["backend"] for answer in answers} <= {"o2", *_gpt4()}


def _gpt4() -> set[str]:
    return {"vllm-gpt4-primary", "vllm-gpt4-canary"}
