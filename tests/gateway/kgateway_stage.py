"""The platform's objects for kgateway, the real controller and the Envoy that it configures."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from components import kgateway_model_header, kgateway_objects
from components.gateway_config import GATEWAY_NAME, GatewayConfig
from components.ratelimit_config import LimitsConfig
from inference.routing import Backend, RouteTable
from local.kube import Manifest
from local.process import ProcessSpec
from tests.components.gateway_fixture import KEYS, jwks
from tests.components.gateway_tables import EVERYTHING, JWT, TLS, WITH_MORE
from tests.gateway.plane import Plane, plane, running
from tests.gateway.programs import kgateway, listens, proxy
from tests.harness.marker_backend import MarkerBackend, marker_backend
from tests.harness.rate_limit_service import rate_limits, valkey
from tests.harness.tls_relay import self_signed

NAMESPACE = "ai-gateway"
DEFINITIONS = ("gateway-api", "kgateway", "certificates.cert-manager.io")
ROUTER_PORT = 9004
REQUESTS = 5
"""What the tenant `platform` may ask of `gpt-4` in a year."""
LIMITS = LimitsConfig.model_validate(
    {
        "rules": [
            {"per": "year", "requests": 100_000},
            {"per": "year", "requests": 100_000, "model": "gpt-4"},
            {"per": "year", "requests": REQUESTS, "model": "gpt-4", "tenant": "platform"},
        ]
    }
)
CONFIG = GatewayConfig(
    variant="kgateway", port=10080, rate_limit=None, jwt=JWT, limits=LIMITS, tls=TLS
)
"""Port 80 would become 8080, where the agents of this network are."""
ROUTES = RouteTable(models=EVERYTHING.models, agents=WITH_MORE.agents, servers=WITH_MORE.servers)


@dataclass
class Stage:
    """Everything in place; `url` is where the proxy takes requests."""

    plane: Plane
    objects: dict[str, Manifest]
    backends: dict[str, MarkerBackend]
    stacks: dict[str, ExitStack] = field(default_factory=dict)
    url: str = ""
    grpc_target: str = ""

    def post(
        self, body: dict[str, Any] | None = None, *, path: str = "/v1/chat/completions", **more: str
    ) -> httpx.Response:
        """A request with the key of `demo`, unless `authorization` says otherwise."""
        headers = {"authorization": f"Bearer {KEYS['demo']}"}
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        given = {name: value for name, value in headers.items() if value}
        return httpx.post(
            f"{self.url}{path}", json=body or {}, headers=given, timeout=30, trust_env=False
        )


def objects() -> dict[str, Manifest]:
    """What the component registers, by the same function."""
    return kgateway_objects.manifests(
        CONFIG, ROUTES, namespace=NAMESPACE, jwks=jwks(), api_key_secret="keys"
    )


def conditions(found: Manifest) -> list[dict[str, Any]]:
    """All that its controllers say of an object, of its listeners and parents too."""
    status = found.get("status", {})
    listed = list(status.get("conditions", ()))
    for place in ("parents", "ancestors", "listeners"):
        for each in status.get(place, ()):
            listed += each["conditions"]
    return listed


def _secrets(made: Plane) -> None:
    """What cert-manager and the secret operator would make."""
    certificate, key = self_signed(made.state, "gateway")
    tls = {"tls.crt": certificate.read_text(), "tls.key": key.read_text()}
    for name, kind, data in (
        ("keys", "Opaque", KEYS),
        (f"{GATEWAY_NAME}-certificate", "kubernetes.io/tls", tls),
    ):
        meta = {"name": name, "namespace": NAMESPACE}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta}
        made.apply([secret | {"type": kind, "stringData": data}])


def _backends(stage: Stage, stack: ExitStack) -> None:
    """A server for every Service of the table, at an address of its own and the table's ports."""
    places: dict[tuple[str, str], set[int]] = {}
    plain = [agent.backend for agent in ROUTES.agents]
    plain += [server.backend for server in ROUTES.servers]
    of_models = [backend for route in ROUTES.models for backend in route.backends]
    grpc = [agent.grpc_backend for agent in ROUTES.agents if agent.grpc_backend]
    each: Backend
    for each in (*plain, *of_models, *grpc):
        places.setdefault((each.service, each.namespace), set()).add(each.port)
    for (service, namespace), ports in places.items():
        address = next(stage.plane.free)
        stage.plane.service(service, namespace, {port: port for port in ports}, address)
        own = stage.stacks[service] = stack.enter_context(ExitStack())
        http = min(ports)
        made = marker_backend(service, host=address, port=http)
        stage.backends[service] = own.enter_context(made)


def _limits(made: Plane, stack: ExitStack) -> None:
    store = stack.enter_context(valkey(made.state / "store"))
    address = next(made.free)
    folder = made.state / "limits"
    service = rate_limits(LIMITS, folder, address=address, store_port=store.port)
    stack.enter_context(service)
    made.service("ratelimit", NAMESPACE, {LIMITS.port: LIMITS.port}, address, grpc=True)


def _router(made: Plane) -> ProcessSpec:
    """The body-based router with the arguments of its Deployment."""
    container = kgateway_model_header.deployment_spec(1)["template"]["spec"]["containers"][0]
    address = next(made.free)
    made.service(
        kgateway_model_header.NAME, NAMESPACE, {ROUTER_PORT: ROUTER_PORT}, address, grpc=True
    )
    login = made.login(NAMESPACE, kgateway_model_header.NAME)
    return ProcessSpec(
        name="router",
        argv=[str(made.tools["bbr"]), *container["args"]],
        env={"KUBECONFIG": str(login), "NAMESPACE": NAMESPACE, "HOME": str(made.state)},
        log=made.state / "log" / "router.log",
        ready=listens(address, ROUTER_PORT),
        stop_seconds=3.0,
    )


@contextmanager
def stage(state: Path) -> Iterator[Stage]:
    """Raises UserError when a tool is missing, PermissionError where it may make no network."""
    with ExitStack() as stack:
        made = stack.enter_context(plane(state, DEFINITIONS))
        stack.enter_context(running(kgateway(made)))
        made.namespace(NAMESPACE)
        _secrets(made)
        built = Stage(made, objects(), {})
        _backends(built, stack)
        _limits(made, stack)
        for what, manifest in built.objects.items():
            # the router's Service has an endpoint that this stage makes
            if what != "model-service":
                made.apply([manifest])
        stack.enter_context(running(_router(made)))
        client = made.client
        service = client.wait(
            "v1", "Service", GATEWAY_NAME, NAMESPACE, until=bool, timeout_seconds=60
        )
        assert service
        balanced = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.250"}]}}}
        client.patch("v1", "Service", GATEWAY_NAME, balanced, NAMESPACE, subresource="status")
        stack.enter_context(running(proxy(made, NAMESPACE, GATEWAY_NAME)))
        ports = {each["port"]: each["targetPort"] for each in service["spec"]["ports"]}
        built.url = f"http://127.0.0.1:{ports[CONFIG.port]}"
        yield built
