"""A tenant's token budget over four gateways, through restarts of gateways and counters."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from components.envoy_bootstrap import bootstrap, render
from components.envoy_limits import SERVICE_HOST
from components.gateway_config import GatewayConfig
from components.ratelimit_config import LimitsConfig
from inference.routing import Backend, ModelRoute, RouteTable
from tests.components.gateway_fixture import KEYS
from tests.harness.envoy import RunningEnvoy, free_address, running_envoy
from tests.harness.marker_backend import MarkerBackend, marker_backend
from tests.harness.rate_limit_service import RateLimits, rate_limits, valkey
from tests.harness.workload import Workload, eventually

pytestmark = [pytest.mark.services, pytest.mark.slow]

TOKENS = 10
BUDGET = 15_000
CLIENTS = 64
GATEWAYS = 4
LIMITS = LimitsConfig.model_validate(
    {"rules": [{"per": "year", "tokens": BUDGET}], "timeoutMilliseconds": 10_000}
)
SECONDS = 120.0


@dataclass
class Fleet:
    """Four gateways, two rate limit services, one store; each can be replaced while others run."""

    folder: Path
    stack: ExitStack
    backend: MarkerBackend
    services: list[RateLimits] = field(default_factory=list)
    gateways: list[RunningEnvoy] = field(default_factory=list)
    store_stack: ExitStack = field(default_factory=ExitStack)
    store: Workload | None = None

    def start(self) -> None:
        self.store = self.store_stack.enter_context(valkey(self.folder / "store"))
        for number in range(2):
            place = self.folder / f"limits-{number}"
            made = rate_limits(LIMITS, place, address=free_address(), store_port=self.store.port)
            self.services.append(self.stack.enter_context(made))
        for _ in range(GATEWAYS):
            self.add_gateway()

    def restart_store(self) -> None:
        """The same append-only file at the same port."""
        assert self.store
        port = self.store.port
        self.store_stack.close()
        self.store = self.store_stack.enter_context(valkey(self.folder / "store", at=port))

    def restart_counter(self) -> None:
        self.services[0].stop()
        self.services[0].start()

    def add_gateway(self) -> None:
        routes = RouteTable(
            models=(
                ModelRoute(
                    name="gpt-4", backends=(Backend(service="model", port=self.backend.port),)
                ),
            )
        )
        config = GatewayConfig(variant="envoy", rate_limit=None, limits=LIMITS)
        place = self.folder / f"gateway-{len(list(self.folder.iterdir()))}"
        place.mkdir()
        hosts = {
            "model.ai-inference.svc.cluster.local": "127.0.0.1",
            SERVICE_HOST: " ".join(service.address for service in self.services),
        }
        text = render(bootstrap(config, routes, api_keys=KEYS))
        self.gateways.append(self.stack.enter_context(running_envoy(text, place, hosts=hosts)))

    def replace_gateway(self) -> None:
        """As a rollout does: a new Pod, then the old one leaves the Service and ends idle."""
        self.add_gateway()
        old = self.gateways.pop(0)

        def idle() -> bool | None:
            stats = old.admin("GET", "/stats?filter=http.public.downstream_rq_active").text
            return stats.strip().endswith(": 0") or None

        eventually(idle, "the gateway's last answers")
        old.process.terminate()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with ExitStack() as stack:
        backend = stack.enter_context(marker_backend("model"))
        backend.tokens = TOKENS
        made = Fleet(tmp_path, stack, backend)
        stack.callback(lambda: made.store_stack.close())
        made.start()
        yield made


def _client(fleet: Fleet, number: int, seen: Counter[int], until: float) -> None:
    """Ask without a pause until the budget is used up."""
    headers = {"authorization": f"Bearer {KEYS['demo']}"}
    with httpx.Client(headers=headers, timeout=30) as client:
        while time.monotonic() < until:
            gateway = fleet.gateways[number % len(fleet.gateways)]
            answer = client.post(f"{gateway.url}/v1/chat/completions", json={"model": "gpt-4"})
            seen[answer.status_code] += 1
            if answer.status_code == 429:
                return


@pytest.mark.parametrize("restarted", ["gateway", "counter", "store", "all"])
def test_a_budget_holds_over_gateways_and_restarts(fleet: Fleet, restarted: str) -> None:
    seen: list[Counter[int]] = [Counter() for _ in range(CLIENTS)]
    until = time.monotonic() + SECONDS
    threads = [
        threading.Thread(target=_client, args=(fleet, number, seen[number], until))
        for number in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()

    def spent(share: float) -> None:
        eventually(
            lambda: fleet.backend.spent >= share * BUDGET or None, f"{share:.0%} of the budget"
        )

    spent(0.3)
    if restarted in ("store", "all"):
        fleet.restart_store()
    if restarted in ("counter", "all"):
        fleet.restart_counter()
    if restarted in ("gateway", "all"):
        fleet.replace_gateway()
    for thread in threads:
        thread.join(timeout=SECONDS)
    total: Counter[int] = sum(seen, Counter())
    overspent = fleet.backend.spent - BUDGET
    assert total[429] == CLIENTS, total
    assert set(total) <= {200, 429, 503}, total
    assert total[200] * TOKENS == fleet.backend.spent
    assert 0 < overspent <= CLIENTS * TOKENS
