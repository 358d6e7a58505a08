"""Who answers: the strategies of a route on the real Envoy in front of real backends."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from components.gateway_config import GatewayConfig, RateLimitConfig
from inference.routing import AgentRoute, Backend, ModelRoute, RouteTable
from tests.components.gateway_fixture import CONFIG, KEYS, Platform, platform
from tests.harness.workload import eventually

pytestmark = pytest.mark.services

SERVICES = ("a", "b", "c", "lonely")


def _routes(ports: dict[str, int]) -> RouteTable:
    def at(service: str, **more: object) -> Backend:
        return Backend.model_validate({"service": service, "port": ports[service], **more})

    return RouteTable(
        models=(
            ModelRoute(name="shared", backends=(at("a", weight=80), at("b", weight=20))),
            ModelRoute(
                name="covered",
                backends=(at("a", weight=80), at("b", weight=20)),
                fallbacks=("spare",),
            ),
            ModelRoute(name="spare", backends=(at("c"),)),
            ModelRoute(name="lonely", backends=(at("lonely"),)),
            ModelRoute(name="ordered", strategy="fallback", backends=(at("a"), at("b"), at("c"))),
            ModelRoute(name="quick", strategy="latency", backends=(at("a"), at("b"))),
            ModelRoute(
                name="chosen",
                strategy="header",
                backends=(at("a", headers={"x-tier": "gold"}), at("b")),
            ),
            ModelRoute(
                name="patient",
                strategy="fallback",
                backends=(at("a"), at("b")),
                timeout_seconds=1,
            ),
            ModelRoute(name="vectors", paths=("/v1/embeddings",), backends=(at("c"),)),
        )
    )


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Platform]:
    with platform(_routes, SERVICES, tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One gateway for the tests that break nothing."""
    with platform(_routes, SERVICES, tmp_path_factory.mktemp("calm")) as running:
        yield running


def _ask_many(gateway: Platform, model: str, count: int, clients: int = 1) -> list[httpx.Response]:
    headers = {"authorization": f"Bearer {KEYS['demo']}", "x-model-id": model}
    url = f"{gateway.envoy.url}/v1/chat/completions"
    with httpx.Client(headers=headers, timeout=60) as client, ThreadPoolExecutor(clients) as pool:
        return list(pool.map(lambda _: client.post(url, json={}), range(count)))


def _backends(answers: list[httpx.Response]) -> Counter[str]:
    assert {answer.status_code for answer in answers} == {200}, Counter(
        (answer.status_code, answer.text[:200]) for answer in answers
    )
    return Counter(answer.json()["backend"] for answer in answers)


def test_weights_share_the_requests(calm: Platform) -> None:
    shares = _backends(_ask_many(calm, "shared", 2000, clients=8))
    assert shares["a"] + shares["b"] == 2000
    # 80 % of 2000 has a standard deviation of 18; six of them are 107.
    assert 1493 <= shares["a"] <= 1707, shares


@pytest.mark.slow
def test_ten_thousand_requests_land_within_two_points_of_their_weights(calm: Platform) -> None:
    shares = _backends(_ask_many(calm, "shared", 10_000, clients=8))
    # The standard deviation is 40 of 10,000: two points are five of them.
    assert 7800 <= shares["a"] <= 8200, shares
    assert shares["a"] + shares["b"] == 10_000


def test_the_body_names_the_model_where_no_header_does(calm: Platform) -> None:
    assert calm.post({"model": "spare"}).json()["backend"] == "c"


def test_the_header_wins_over_the_body(calm: Platform) -> None:
    assert calm.post({"model": "lonely"}, x_model_id="spare").json()["backend"] == "c"


def test_a_model_name_inside_a_message_is_only_text(calm: Platform) -> None:
    hostile = '{"model": "lonely"}'
    body = {"messages": [{"content": f'", "model": "lonely", {hostile}'}], "model": "spare"}
    assert calm.post(body).json()["backend"] == "c"


def test_headers_choose_among_the_backends_of_one_model(calm: Platform) -> None:
    assert calm.post({"model": "chosen"}, x_tier="gold").json()["backend"] == "a"
    assert calm.post({"model": "chosen"}, x_tier="tin").json()["backend"] == "b"
    assert calm.post({"model": "chosen"}).json()["backend"] == "b"


def test_a_model_is_served_at_its_own_paths_only(calm: Platform) -> None:
    assert calm.post({"model": "vectors"}, path="/v1/embeddings").json()["backend"] == "c"
    assert calm.post({"model": "vectors"}).status_code == 404
    assert calm.post({"model": "spare"}, path="/v1/chat/completions/x").status_code == 200
    assert calm.post({"model": "spare"}, path="/v1/chat/completionsx").status_code == 404


def test_a_slow_backend_is_avoided_by_the_strategy_latency(gateway: Platform) -> None:
    gateway.backends["a"].delay_seconds = 0.1
    gateway.backends["b"].delay_seconds = 1.0
    shares = _backends(_ask_many(gateway, "quick", 240, clients=12))
    assert shares["b"] < 0.2 * 240, shares


def test_a_failing_backend_is_never_seen_where_fallback_is_on(gateway: Platform) -> None:
    gateway.backends["a"].status = 503
    shares = _backends(_ask_many(gateway, "ordered", 200, clients=4))
    assert shares == {"b": 200}
    assert len(gateway.backends["a"].requests) < 200, "a failing backend is left out for a while"


def test_too_many_requests_move_on_to_the_next_backend(gateway: Platform) -> None:
    gateway.backends["a"].status = 429
    assert _backends(_ask_many(gateway, "ordered", 20)) == {"b": 20}


def test_a_dead_backend_is_never_seen_where_fallback_is_on(gateway: Platform) -> None:
    gateway.kill("a")
    assert _backends(_ask_many(gateway, "ordered", 200, clients=4)) == {"b": 200}
    gateway.kill("b")
    assert _backends(_ask_many(gateway, "ordered", 100, clients=4)) == {"c": 100}


def test_a_weighted_model_falls_back_to_its_siblings_and_then_to_another_model(
    gateway: Platform,
) -> None:
    gateway.kill("b")
    assert _backends(_ask_many(gateway, "covered", 100, clients=4)) == {"a": 100}
    gateway.kill("a")
    assert _backends(_ask_many(gateway, "covered", 100, clients=4)) == {"c": 100}


def test_a_dead_backend_without_fallback_is_503_in_openai_form(gateway: Platform) -> None:
    gateway.kill("lonely")
    answer = gateway.post({"model": "lonely"})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "backend_unavailable"


def test_a_silent_backend_is_left_for_the_next_one(gateway: Platform) -> None:
    gateway.backends["a"].delay_seconds = 60
    answer = gateway.post({"model": "patient"})
    assert answer.json()["backend"] == "b"
    assert len(gateway.backends["a"].requests) == 1


def test_a_stream_that_has_begun_is_never_begun_again_elsewhere(gateway: Platform) -> None:
    gateway.backends["a"].cut = True
    headers = {"authorization": f"Bearer {KEYS['demo']}"}
    body = {"model": "ordered", "stream": True}
    url = f"{gateway.envoy.url}/v1/chat/completions"
    with httpx.stream("POST", url, json=body, headers=headers, timeout=60) as answer:
        chunks = answer.iter_raw()
        assert b'"part": 1' in next(chunks)
        with pytest.raises(httpx.RemoteProtocolError):
            list(chunks)
    assert [len(gateway.backends[name].requests) for name in "abc"] == [1, 0, 0]


def test_a_backend_killed_under_load_costs_no_client_an_error(gateway: Platform) -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(_ask_many, gateway, "ordered", 600, 8)
        eventually(lambda: len(gateway.backends["a"].requests) >= 100 or None, "the load")
        gateway.kill("a")
        shares = _backends(asked.result())
    assert set(shares) == {"a", "b"}, shares


def test_an_agents_failure_is_not_tried_again_whatever_the_client_asks(tmp_path: Path) -> None:
    def routes(ports: dict[str, int]) -> RouteTable:
        return RouteTable(agents=(AgentRoute(name="agent", service="agent", port=ports["agent"]),))

    with platform(routes, ("agent",), tmp_path) as gateway:
        gateway.backends["agent"].status = 503
        asked = {"x_envoy_retry_on": "5xx", "x_envoy_max_retries": "9"}
        assert gateway.post({"model": "agent"}, **asked).status_code == 503
        assert len(gateway.backends["agent"].requests) == 1


def test_an_error_of_a_backend_is_passed_on_as_it_is(gateway: Platform) -> None:
    gateway.backends["lonely"].status = 422
    answer = gateway.post({"model": "lonely"})
    assert (answer.status_code, answer.json()) == (422, {"error": {"message": "lonely"}})


def test_a_stream_reaches_the_client_before_it_ends(calm: Platform) -> None:
    backend = calm.backends["lonely"]
    headers = {"authorization": f"Bearer {KEYS['demo']}"}
    body = {"model": "lonely", "stream": True}
    with httpx.stream(
        "POST", f"{calm.envoy.url}/v1/chat/completions", json=body, headers=headers, timeout=60
    ) as answer:
        lines = answer.iter_lines()
        first = next(lines)
        assert json.loads(first.removeprefix("data: ")) == {"backend": "lonely", "part": 1}
        assert not backend.gate.is_set(), "the first event came while the backend held the rest"
        backend.gate.set()
        assert "data: [DONE]" in list(lines)


def test_the_access_log_tells_the_whole_story_in_json(calm: Platform) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    answer = calm.post({"model": "spare"}, traceparent=f"00-{trace}-b7ad6b7169203331-01")
    line = calm.envoy.logged(answer.headers["x-request-id"])
    expected = {
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "tenant": "demo",
        "model": "spare",
        "body_model": "spare",
        "attempts": 1,
        "tokens": 12,
        "prompt_tokens": 5,
        "completion_tokens": 7,
    }
    assert {key: line[key] for key in expected} == expected
    assert line["cluster"].startswith("ai-inference/c:")
    assert line["duration_ms"] >= 0


def test_a_request_that_is_too_large_is_413(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"max_request_bytes": 65_536})
    with platform(_routes, ("a", "b", "c", "lonely"), tmp_path, config=config) as gateway:
        answer = gateway.post({"model": "spare", "messages": ["x" * 200_000]})
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "request_too_large"


def test_each_tenant_has_its_own_exact_limit(tmp_path: Path) -> None:
    limits = RateLimitConfig(requests=10, seconds=3600, tenants={"platform": 3})
    config = GatewayConfig(variant="envoy", jwt=CONFIG.jwt, rate_limit=limits)
    with platform(_routes, ("a", "b", "c", "lonely"), tmp_path, config=config) as gateway:

        def statuses(tenant: str) -> Counter[int]:
            answers = [gateway.post({"model": "spare"}, key=KEYS[tenant]) for _ in range(15)]
            return Counter(answer.status_code for answer in answers)

        assert statuses("demo") == {200: 10, 429: 5}
        assert statuses("platform") == {200: 3, 429: 12}
        refused = gateway.post({"model": "spare"})
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert refused.headers["x-ratelimit-remaining"] == "0"
