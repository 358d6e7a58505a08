"""The rendered bootstrap: the real Envoy takes it without a warning, traces, starts as a Pod."""

import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from components import envoy_gateway
from components.envoy_bootstrap import ADDRESS, bootstrap, check_credentials, render
from components.gateway_config import GatewayConfig, RateLimitConfig
from inference.routing import Backend, ModelRoute, RouteTable
from local.workloads.trace_receiver import build_app
from local.workloads.trace_store import TraceStore
from tests.components.gateway_fixture import CONFIG, KEYS, jwks, platform
from tests.components.gateway_tables import ARCHITECTURE, EVERYTHING
from tests.harness.envoy import envoy_program, free_address, validation_error
from tests.harness.http_server import serving
from tests.harness.workload import eventually

VARIANTS: dict[str, tuple[GatewayConfig, RouteTable, dict[str, Any]]] = {
    "keys": (GatewayConfig(variant="envoy"), ARCHITECTURE, {"api_keys": KEYS}),
    "tokens": (CONFIG, ARCHITECTURE, {"api_keys": {}, "jwks": jwks()}),
    "everything": (
        CONFIG.model_copy(update={"rate_limit": RateLimitConfig(tenants={"demo": 5})}),
        EVERYTHING,
        {
            "api_keys": KEYS,
            "jwks": jwks(),
            "traces_url": "https://langfuse.example.com/api/public/otel/v1/traces",
            "traces_headers": {"authorization": "Basic abc"},
        },
    ),
    "no models": (GatewayConfig(variant="envoy"), RouteTable(), {"api_keys": KEYS}),
}


@pytest.mark.services
@pytest.mark.parametrize("name", VARIANTS)
def test_envoy_takes_the_bootstrap_without_a_warning(name: str, tmp_path: Path) -> None:
    config, routes, given = VARIANTS[name]
    assert validation_error(render(bootstrap(config, routes, **given)), tmp_path) == ""


@pytest.mark.services
def test_envoy_refuses_a_bootstrap_with_an_unknown_field(tmp_path: Path) -> None:
    document = bootstrap(GatewayConfig(variant="envoy"), ARCHITECTURE, api_keys=KEYS)
    document["static_resources"]["clusters"][0]["conect_timeout"] = "1s"
    assert "conect_timeout" in validation_error(render(document), tmp_path)


@pytest.mark.services
def test_the_pods_own_command_starts_envoy_at_the_pods_address(tmp_path: Path) -> None:
    config, _, given = VARIANTS["keys"]
    text = render(bootstrap(config, RouteTable(), **given))
    (tmp_path / "envoy.yaml").write_text(text)
    container = envoy_gateway.deployment_spec(config, digest="x")["template"]["spec"]["containers"]
    script = container[0]["command"][2]
    script = script.replace("/etc/envoy/", f"{tmp_path}/").replace("/tmp/envoy", f"{tmp_path}/run")
    address = free_address()
    path = f"{Path(envoy_program()).parent}:{os.environ['PATH']}"
    process = subprocess.Popen(
        ["/bin/sh", "-c", script],
        env={"POD_IP": address, "PATH": path},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )

    def healthy() -> bool | None:
        assert process.poll() is None, "Envoy ended at once"
        try:
            return httpx.get(f"http://{address}:8080/healthz", timeout=2).is_success or None
        except httpx.TransportError:
            return None

    try:
        eventually(healthy, "the gateway's health")
        file = tmp_path / "run.yaml"
        assert file.stat().st_mode & 0o077 == 0, "others could read the configuration"
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.mark.services
def test_the_gateway_continues_a_clients_trace_and_hands_it_on(tmp_path: Path) -> None:
    def routes(ports: dict[str, int]) -> RouteTable:
        backend = Backend(service="model", port=ports["model"])
        return RouteTable(models=(ModelRoute(name="gpt-4", backends=(backend,)),))

    store = TraceStore(None, max_traces=100)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with (
        serving(build_app(store)) as receiver,
        platform(routes, ("model",), tmp_path, traces_url=f"{receiver}/v1/traces") as gateway,
    ):
        answer = gateway.post({"model": "gpt-4"}, traceparent=f"00-{trace}-00f067aa0ba902b7-01")
        assert answer.headers["x-trace-id"] == trace
        passed_on = gateway.backends["model"].requests[-1]["headers"]["traceparent"]
        assert passed_on.split("-")[1] == trace
        assert gateway.envoy.logged(answer.headers["x-request-id"])["trace_id"] == trace

        def exported() -> dict[str, Any] | None:
            found = httpx.get(f"{receiver}/traces/{trace}", timeout=10)
            return found.json() if found.is_success else None

        text = str(eventually(exported, "the gateway's span"))
        assert "demo" in text
        assert "gpt-4" in text


@pytest.mark.unit
@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({}, "nobody could call it"),
        ({"demo": ""}, "tenant 'demo' is empty"),
        ({"demo": "a.b.c"}, "has the form of a token"),
        ({"demo": "same", "other": "same"}, "'demo' and 'other' share one API key"),
    ],
)
def test_credentials_that_can_not_work_are_refused(keys: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says) as refusal:
        check_credentials(GatewayConfig(variant="envoy"), api_keys=keys, jwks=None)
    assert not [key for key in keys.values() if key and key in str(refusal.value).split()]


@pytest.mark.unit
def test_the_bootstrap_holds_no_key_and_no_address() -> None:
    config, routes, given = VARIANTS["everything"]
    text = render(bootstrap(config, routes, **given))
    for key in KEYS.values():
        assert key not in text
    assert text.count(ADDRESS) == 2
    assert "127.0.0.1" not in text
    assert "0.0.0.0" not in text


@pytest.mark.unit
def test_equal_routes_render_to_equal_text() -> None:
    config, routes, given = VARIANTS["everything"]
    again = RouteTable.model_validate(yaml.safe_load(yaml.safe_dump(routes.model_dump())))
    assert render(bootstrap(config, routes, **given)) == render(bootstrap(config, again, **given))
