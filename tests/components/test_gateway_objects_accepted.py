"""The gateway's Kubernetes objects before a real API server with the real definitions."""

import copy
import json
from typing import Any

import pytest

from components import endpoint_picker, kgateway_model_header
from components.gateway_config import GatewayConfig, TlsConfig
from inference.routing import Backend, RouteTable
from local.kube import ApiError
from tests.components.gateway_tables import (
    ACM,
    AGENTGATEWAYS,
    ARCHITECTURE,
    CONFIGS,
    EVERYTHING,
    TLS,
    WITH_MORE,
    agentgateway_of,
    envoy_of,
    kgateway_of,
)
from tests.components.pod_check import admit_pod
from tests.harness.api_server import ApiServer

CERTIFICATES = "certificates.cert-manager.io"
ROUTING = (
    *(
        f"{kind}.gateway.networking.k8s.io"
        for kind in ("gateways", "httproutes", "grpcroutes", "referencegrants")
    ),
    CERTIFICATES,
)
OF_KGATEWAY = tuple(
    f"{kind}.gateway.kgateway.dev"
    for kind in (
        "backendconfigpolicies",
        "backends",
        "directresponses",
        "gatewayextensions",
        "gatewayparameters",
        "listenerpolicies",
        "trafficpolicies",
    )
)
OF_AGENTGATEWAY = (
    *(f"agentgateway{kind}.agentgateway.dev" for kind in ("backends", "parameters", "policies")),
    "inferencepools.inference.networking.k8s.io",
)
"""Each definition costs the API server a quarter of a second of CPU: only those that are used."""
_ACCEPTED: set[str] = set()


def _accepts(api_server: ApiServer, manifest: dict[str, Any]) -> None:
    """Tables share most of their objects, and the API server's answer is the same each time."""
    text = json.dumps(manifest, sort_keys=True)
    if text not in _ACCEPTED:
        api_server.dry_run(manifest)
        _ACCEPTED.add(text)


@pytest.mark.api_server
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("routes", [ARCHITECTURE, EVERYTHING], ids=["architecture", "everything"])
def test_the_api_server_accepts_every_object_of_kgateway(
    api_server: ApiServer, name: str, routes: RouteTable
) -> None:
    api_server.load_crds(*ROUTING, *OF_KGATEWAY)
    config, given = CONFIGS[name]
    more = RouteTable(models=routes.models, agents=WITH_MORE.agents, servers=WITH_MORE.servers)
    for manifest in kgateway_of(config, more, **given).values():
        _accepts(api_server, manifest)


@pytest.mark.api_server
@pytest.mark.parametrize("name", AGENTGATEWAYS)
@pytest.mark.parametrize("routes", [ARCHITECTURE, WITH_MORE], ids=["architecture", "everything"])
def test_the_api_server_accepts_every_object_of_agentgateway(
    api_server: ApiServer, name: str, routes: RouteTable
) -> None:
    api_server.load_crds(*ROUTING, *OF_AGENTGATEWAY)
    config, given = AGENTGATEWAYS[name]
    for manifest in agentgateway_of(config, routes, **given).values():
        _accepts(api_server, manifest)


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
    api_server.load_crds(*ROUTING, *OF_KGATEWAY)
    config, given = CONFIGS["keys given"]
    manifest = copy.deepcopy(kgateway_of(config, ARCHITECTURE, **given)[what])
    place = manifest
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ApiError, match=says):
        api_server.dry_run(manifest)


@pytest.mark.api_server
@pytest.mark.parametrize("tls", [None, TLS, ACM], ids=["plain", "cert-manager", "ACM"])
def test_the_api_server_accepts_the_plain_envoy_under_the_level_restricted(
    api_server: ApiServer, tls: TlsConfig | None
) -> None:
    api_server.load_crds(CERTIFICATES)
    objects = envoy_of(GatewayConfig(variant="envoy", tls=tls))
    for manifest in objects.values():
        _accepts(api_server, manifest)
    admit_pod(api_server, objects["deployment"], level="restricted")
    admit_pod(
        api_server,
        {
            "metadata": {"name": "router"},
            "spec": kgateway_model_header.deployment_spec(2),
        },
        level="restricted",
    )
    picker = endpoint_picker.deployment_spec(Backend(service="a", picker="a-picker"))
    admit_pod(api_server, {"metadata": {"name": "picker"}, "spec": picker}, level="restricted")
