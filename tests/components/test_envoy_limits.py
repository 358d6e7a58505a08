"""Limits over several gateways: the real Envoy, the real rate limit service, the real Valkey."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from components.envoy_charge import COUNTS_PORT
from components.envoy_limits import SERVICE_HOST
from components.gateway_config import GatewayConfig
from components.ratelimit_config import LimitsConfig
from inference.routing import Backend, ModelRoute, RouteTable
from tests.components.gateway_fixture import CONFIG, KEYS, Platform, platform
from tests.harness.envoy import free_address
from tests.harness.rate_limit_service import RateLimits, counted, rate_limits, valkey
from tests.harness.tls_relay import self_signed, tls_relay
from tests.harness.workload import Workload

pytestmark = pytest.mark.services


def _routes(ports: dict[str, int]) -> RouteTable:
    backend = Backend(service="model", port=ports["model"])
    names = ("gpt-4", "claude-3")
    return RouteTable(models=tuple(ModelRoute(name=name, backends=(backend,)) for name in names))


@contextmanager
def _gateways(
    folder: Path, rules: list[dict[str, Any]], *, on_failure: str = "closed", count: int = 1
) -> Iterator[tuple[list[Platform], RateLimits, Workload]]:
    limits = LimitsConfig.model_validate({"rules": rules, "onFailure": on_failure})
    config = GatewayConfig(variant="envoy", jwt=CONFIG.jwt, rate_limit=None, limits=limits)
    address = free_address()
    with ExitStack() as everything:
        store = everything.enter_context(valkey(folder / "store"))
        service = everything.enter_context(
            rate_limits(limits, folder / "limits", address=address, store_port=store.port)
        )
        running = []
        for number in range(count):
            place = folder / f"gateway-{number}"
            place.mkdir()
            one = platform(
                _routes, ("model",), place, config=config, more_hosts={SERVICE_HOST: address}
            )
            running.append(everything.enter_context(one))
        yield running, service, store


def _statuses(gateway: Platform, count: int, **asked: Any) -> Counter[int]:
    body = {"model": asked.pop("model", "gpt-4")}
    return Counter(gateway.post(body, **asked).status_code for _ in range(count))


def test_requests_are_counted_over_all_gateways_by_tenant_and_model(tmp_path: Path) -> None:
    rules = [
        {"per": "year", "requests": 7},
        {"per": "year", "requests": 10, "tenant": "demo"},
        {"per": "year", "requests": 4, "model": "claude-3"},
    ]
    with _gateways(tmp_path, rules, count=2) as ((one, two), _, _):
        claude = _statuses(one, 6, model="claude-3")
        assert claude == {200: 4, 429: 2}
        # six of demo's ten are gone: a request over one limit has counted for the other
        assert _statuses(two, 2) + _statuses(one, 6) == {200: 4, 429: 4}
        assert _statuses(two, 9, key=KEYS["platform"]) == {200: 7, 429: 2}
        refused = two.post({"model": "gpt-4"})
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert refused.headers["x-ratelimit-remaining"] == "0"
        backends = one.backends["model"].requests + two.backends["model"].requests
        assert len(backends) == 4 + 4 + 7, "a refused request reached the backend"


def test_tokens_of_answers_and_streams_use_up_the_budget(tmp_path: Path) -> None:
    rules = [{"per": "year", "tokens": 50, "tenant": "demo"}]
    with _gateways(tmp_path, rules) as ((gateway,), _, store):
        backend = gateway.backends["model"]
        backend.tokens = 20
        backend.gate.set()

        def spent() -> int:
            """At once: the end of an answer comes after its count."""
            return counted(store, "tokens-year", "demo")

        assert gateway.post({"model": "gpt-4"}).status_code == 200
        assert spent() == 20
        stream = {"model": "gpt-4", "stream": True, "stream_options": {"include_usage": False}}
        assert gateway.post(stream).status_code == 200
        asked = json.loads(backend.requests[-1]["body"])
        assert asked == stream | {"stream_options": {"include_usage": True}}
        assert spent() == 40
        assert gateway.post({"model": "gpt-4"}).status_code == 200
        assert spent() == 60
        assert _statuses(gateway, 3) == {429: 3}
        assert _statuses(gateway, 3, key=KEYS["platform"]) == {200: 3}
        assert spent() == 60, "a refused request cost tokens"


@pytest.mark.parametrize(("on_failure", "status"), [("closed", 503), ("open", 200)])
def test_without_a_count_requests_are_refused_or_pass_as_configured(
    tmp_path: Path, on_failure: str, status: int
) -> None:
    rules = [{"per": "year", "tokens": 1000}]
    with _gateways(tmp_path, rules, on_failure=on_failure) as ((gateway,), service, store):
        assert _statuses(gateway, 1) == {200: 1}
        store.kill()
        assert _statuses(gateway, 2) == {status: 2}
        service.stop(kill=True)
        answer = gateway.post({"model": "gpt-4"})
        assert answer.status_code == status
        if status == 503:
            assert answer.json()["error"]["code"] == "limits_unavailable"


def test_the_list_of_models_costs_nothing(tmp_path: Path) -> None:
    with _gateways(tmp_path, [{"per": "year", "requests": 1}]) as ((gateway,), _, _):
        url = f"{gateway.envoy.url}/v1/models"
        headers = {"authorization": f"Bearer {KEYS['demo']}"}
        assert {httpx.get(url, headers=headers).status_code for _ in range(3)} == {200}
        assert _statuses(gateway, 2) == {200: 1, 429: 1}


def test_the_counts_of_a_store_with_tls_need_its_own_ca(tmp_path: Path) -> None:
    limits = LimitsConfig.model_validate({"rules": [{"per": "year", "requests": 3}]})
    certificate, key = self_signed(tmp_path, "store")
    other, _ = self_signed(tmp_path, "other")
    with ExitStack() as everything:
        store = everything.enter_context(valkey(tmp_path / "store"))
        port = everything.enter_context(tls_relay(store.port, certificate, key))
        address = free_address()
        stranger = rate_limits(
            limits, tmp_path / "stranger", address=address, store_port=port, store_ca=other
        )
        with pytest.raises(AssertionError, match="certificate"):
            everything.enter_context(stranger)
        service = rate_limits(
            limits, tmp_path / "limits", address=address, store_port=port, store_ca=certificate
        )
        everything.enter_context(service)
        asked = {"key": "x-tenant-id", "value": "demo"}
        group = {"key": "limit", "value": "requests-year"}
        body = {"domain": "ai-gateway", "descriptors": [{"entries": [group, asked]}]}
        statuses = [
            httpx.post(f"http://{address}:{COUNTS_PORT}/json", json=body).status_code
            for _ in range(4)
        ]
        assert statuses == [200, 200, 200, 429]
        assert counted(store, "requests-year", "demo") == 4
