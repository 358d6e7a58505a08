"""A gateway with backends to ask: what the tests of the real Envoy share."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from components.envoy_bootstrap import bootstrap, render
from components.gateway_config import GatewayConfig, JwtConfig
from inference.routing import RouteTable
from tests.harness.envoy import RunningEnvoy, running_envoy
from tests.harness.marker_backend import MarkerBackend, marker_backend

ISSUER = "https://issuer.local"
AUDIENCE = "agents"
KEYS = {"demo": "sk-demo-abc", "platform": "sk-platform-xyz"}
CONFIG = GatewayConfig(
    variant="envoy", jwt=JwtConfig(issuer=ISSUER, audience=AUDIENCE), rate_limit=None
)


@cache
def signing_key(name: str = "right") -> ECKey:
    return ECKey.generate_key("P-256", {"kid": name, "alg": "ES256", "use": "sig"})


def jwks() -> str:
    return json.dumps({"keys": [signing_key().as_dict(private=False)]})


def token(*, key: ECKey | None = None, **changes: Any) -> str:
    """A token of tenant `demo`, good for an hour; a claim that is None is left out."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user@demo",
        "tenant": "demo",
        "exp": int(time.time()) + 3600,
    } | changes
    present = {name: value for name, value in claims.items() if value is not None}
    signer = key or signing_key()
    return jwt.encode({"alg": "ES256", "kid": "right"}, present, signer)


@dataclass
class Platform:
    """A running gateway and the backends behind it, by Service name."""

    envoy: RunningEnvoy
    backends: dict[str, MarkerBackend]
    stacks: dict[str, ExitStack] = field(default_factory=dict)

    def post(
        self,
        body: Mapping[str, Any] | None = None,
        *,
        path: str = "/v1/chat/completions",
        key: str | None = KEYS["demo"],
        **headers: str,
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            named.setdefault("authorization", f"Bearer {key}")
        return httpx.post(f"{self.envoy.url}{path}", json=body or {}, headers=named, timeout=60)

    def kill(self, service: str) -> None:
        """Stop a backend; its port refuses connections from then on."""
        self.stacks[service].close()


def _names(service: str) -> list[str]:
    spaces = ("ai-inference", "ai-agents", "ai-gateway")
    return [f"{service}.example.com", *(f"{service}.{it}.svc.cluster.local" for it in spaces)]


@contextmanager
def platform(
    routes: Any,
    services: tuple[str, ...],
    folder: Path,
    *,
    config: GatewayConfig = CONFIG,
    traces_url: str | None = None,
    more_hosts: Mapping[str, str] | None = None,
) -> Iterator[Platform]:
    """`routes` makes the table from the port of each service."""
    with ExitStack() as everything:
        stacks = {name: everything.enter_context(ExitStack()) for name in services}
        backends = {name: stacks[name].enter_context(marker_backend(name)) for name in services}
        table: RouteTable = routes({name: each.port for name, each in backends.items()})
        keys = {name: f"sk-{name}" for name, each in table.providers.items() if each.key}
        given = jwks() if config.jwt and config.jwt.jwks_url is None else None
        document = bootstrap(
            config, table, api_keys=KEYS, jwks=given, provider_keys=keys, traces_url=traces_url
        )
        hosts = {host: "127.0.0.1" for service in services for host in _names(service)}
        hosts |= more_hosts or {}
        envoy = everything.enter_context(running_envoy(render(document), folder, hosts=hosts))
        yield Platform(envoy, backends, stacks)
