"""Rules about the gateway: what it is asked for, whom it leads to, and where its keys come from."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING

from pydantic import ValidationError

from components.gateway_support import refusals
from inference.routing import RouteTable

if TYPE_CHECKING:
    from infra.config import PlatformConfig

MODELS_NAMESPACE = "ai-inference"


def _keys(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    files = config.secrets.source == "directory"
    if config.gateway.variant == "envoy" and not files:
        yield (
            "gateway.variant: got 'envoy', whose keys must be known to this program; "
            "choose 'kgateway' or 'agentgateway', or secrets.source 'directory'"
        )
    if config.gateway.jwt and config.gateway.jwt.jwks_url is None and not files:
        yield (
            "gateway.jwt.jwksUrl: missing; without it the key set is the file jwks.json of "
            "secrets.source 'directory'; name your identity provider's URL"
        )
    if not config.gateway_keys and config.gateway.jwt is None:
        yield "gatewayKeys: got none, and gateway.jwt is null; nobody could call the gateway"
    owners: dict[str, str] = {}
    for tenant, source in config.gateway_keys.items():
        if source in owners:
            yield (
                f"gatewayKeys.{tenant}: got '{source}', the key of tenant '{owners[source]}' too; "
                "give each tenant a key of its own"
            )
        owners[source] = tenant


def _routes(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    """What routes ask of each other, and of the variant."""
    gateway = config.gateway
    try:
        routes = RouteTable(
            models=gateway.models,
            agents=gateway.agents,
            servers=gateway.servers,
            providers=gateway.providers,
        )
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            said = str(detail.get("ctx", {}).get("error", detail["msg"]))
            yield from (f"gateway.models: {line}" for line in said.splitlines())
        return
    for line in refusals(gateway, routes):
        yield f"gateway: {line}"
    pickers = any(backend.picker for route in routes.models for backend in route.backends)
    if pickers and config.definitions and "inference-extension" not in config.definitions:
        yield (
            "definitions: got no 'inference-extension', whose InferencePool a picker needs; add it"
        )
    if pickers and config.network_policies and not config.network_policies.endpoint_pickers:
        yield (
            "networkPolicies.endpointPickers: got false, but a model has a picker, which reads the "
            "queues of model servers; set it to true"
        )


def _bedrock(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    """Without a key the gateway signs with an identity, and only EKS gives one to its Pods."""
    if config.cluster.eks or config.cluster.stack:
        return
    for name, provider in config.gateway.providers.items():
        if provider.kind == "bedrock" and provider.key is None:
            yield (
                f"gateway.providers.{name}.key: missing; only on a cluster of EKS has the gateway "
                "an identity to sign with; name the source of a Bedrock API key"
            )


def _backends(config: "PlatformConfig", _region: str | None) -> Iterator[str]:
    """Services of the models' namespace are made by this stack, so it knows them all."""
    servers = sorted(config.model_servers)
    for route in config.gateway.models:
        for index, backend in enumerate(route.backends):
            if backend.namespace != MODELS_NAMESPACE or backend.service in servers:
                continue
            near = get_close_matches(backend.service, servers, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"allowed: {', '.join(servers)}"
            yield (
                f"gateway.models.{route.name}.backends[{index}].service: got "
                f"'{backend.service}', which is no model server; {hint}"
            )


GATEWAY_RULES = (_keys, _routes, _bedrock, _backends)
