"""The wiring of the serving layers: gateway, models, agents."""

from collections.abc import Mapping
from dataclasses import replace

import pulumi
from pydantic import ValidationError

from components import tool_server
from components.agent_operator import AgentOperator
from components.agent_scaler import AgentScaler
from components.agent_service import AgentService
from components.agentgateway_objects import KEYS_SECRET
from components.gateway import Gateway
from components.gateway_secrets import GATEWAY_KEYS, STORE_SECRET
from components.image_prepull import ImagePrepull
from components.inference_service import InferenceService
from components.leader_worker_sets import LeaderWorkerSets
from components.metrics import Metrics
from components.model_server import ModelServer
from components.ordering import after
from components.ratelimit import RateLimitService
from components.ratelimit_config import LimitsConfig
from components.runtime_pod import Surroundings
from components.sample_services import SampleServices, SampleSurroundings
from components.secret_store import SecretStore
from components.session_store import SessionStore
from components.tool_registry import ToolRegistry
from components.tracing import Tracing
from components.versions import IMAGES
from inference.catalog import default_catalog
from inference.routing import AgentRoute, McpRoute, RouteTable
from infra.config import PlatformConfig, given
from infra.documents import Documents
from infra.foundation import Foundation
from infra.gateway_identity import with_bedrock
from infra.ground import Namespaces


def gateway(
    config: PlatformConfig,
    foundation: Foundation,
    namespaces: Namespaces,
    secrets: SecretStore,
    sessions: SessionStore,
    traces: Tracing,
    documents: Documents,
) -> Gateway:
    """The door; models and agents are known to it by name, before they run."""
    variant, files = config.gateway.variant, config.secrets.source == "directory"
    inline = variant == "envoy" or (variant == "agentgateway" and files)
    own_keys = config.gateway.jwt is not None and config.gateway.jwt.jwks_url is None
    keys = KEYS_SECRET if variant == "agentgateway" else GATEWAY_KEYS
    inside = with_bedrock(config.gateway, namespaces["ai-gateway"], foundation)
    if config.gateway.limits:
        inside = after(
            inside, [_limits(config, config.gateway.limits, inside, secrets, sessions, foundation)]
        )
    return Gateway(
        "gateway",
        config=config.gateway,
        routes=_routes(config, documents),
        namespace=inside,
        backend_namespaces=namespaces,
        api_keys={tenant: secrets.value(key) for tenant, key in config.gateway_keys.items()}
        if inline
        else None,
        provider_keys={
            name: secrets.value(provider.key)
            for name, provider in config.gateway.providers.items()
            if provider.key and variant == "envoy"
        },
        api_key_secret=secrets.names["ai-gateway"][keys]
        if config.gateway_keys and not inline
        else None,
        jwks=secrets.value("jwks.json") if own_keys else None,
        traces_url=traces.url,
        opts=foundation.on_nodes,
    )


def _routes(config: PlatformConfig, documents: Documents) -> RouteTable:
    """`pulumi.RunError`, one line each, where an agent has a model's name."""
    try:
        return RouteTable(
            models=config.gateway.models,
            agents=_agents(config, documents),
            servers=(*config.gateway.servers, *_own_servers(config)),
            providers=config.gateway.providers,
        )
    except ValidationError as error:
        said = [str(each["ctx"]["error"]) for each in error.errors() if "ctx" in each]
        raise pulumi.RunError("\n".join(f"gateway: {line}" for line in said)) from None


def _agents(config: PlatformConfig, documents: Documents) -> tuple[AgentRoute, ...]:
    """The stack's own agents by their names, changed and joined by those that it lists."""
    routes = {name: AgentRoute(name=name) for name in documents.agents}
    return tuple((routes | {each.name: each for each in config.gateway.agents}).values())


def _own_servers(config: PlatformConfig) -> list[McpRoute]:
    """The platform's Tools, for MCP clients that come in through the door."""
    if config.tool_server is None:
        return []
    return [McpRoute(name="tools", service=tool_server.NAME)]


def _limits(
    config: PlatformConfig,
    limits: LimitsConfig,
    inside: pulumi.Output[str],
    secrets: SecretStore,
    sessions: SessionStore,
    foundation: Foundation,
) -> RateLimitService:
    """What counts; it keeps its counts in the session store, which forgets nothing."""
    return RateLimitService(
        "limits",
        limits=limits,
        namespace=inside,
        store_host=sessions.host,
        store_port=sessions.port,
        store_tls=sessions.tls,
        store_issuer=getattr(config.session_store, "tls_issuer", None),
        password_secret=secrets.names["ai-gateway"][STORE_SECRET],
        opts=foundation.in_cluster,
    )


def models(
    config: PlatformConfig, foundation: Foundation, namespaces: Namespaces, metrics: Metrics
) -> None:
    """Model servers, what some of them need, and one name for all vLLM Pods."""
    inside = namespaces["ai-inference"]
    groups = None
    if any(server.nodes > 1 for server in config.model_servers.values()):
        groups = LeaderWorkerSets("leader-worker-sets", opts=foundation.in_cluster).release
    for name, server in config.model_servers.items():
        ModelServer(
            name,
            config=server,
            namespace=after(inside, [groups]) if groups and server.nodes > 1 else inside,
            prometheus_url=metrics.url if server.scaling else None,
            opts=foundation.in_cluster,
        )
    pools = {it.node_pool for it in config.model_servers.values()} & set(foundation.offer.gpu_pools)
    if config.pre_pull_model_images and pools:
        ImagePrepull(
            "model-images",
            images={
                server.image or IMAGES[server.engine]
                for server in config.model_servers.values()
                if server.node_pool in pools
            },
            pools=[pool for pool in pools if pool],
            namespace=inside,
            opts=foundation.in_cluster,
        )
    if any(server.engine == "vllm" for server in config.model_servers.values()):
        InferenceService("vllm-inference", namespace=inside, opts=foundation.in_cluster)


def agents(
    config: PlatformConfig,
    foundation: Foundation,
    namespaces: Namespaces,
    documents: Documents,
    around: Surroundings,
) -> None:
    """The platform's own agents and tools, and what runs them."""
    watching = [*documents.agents] if config.agent_service.tool_watch == "cluster" else []
    if config.tool_server is not None:
        watching.append(tool_server.NAME)
    inside = ToolRegistry(
        "tools",
        tools=documents.tools,
        namespace=namespaces["ai-agents"],
        watchers=watching,
        opts=foundation.in_cluster,
    ).namespace
    if config.agent_operator is not None:
        inside = AgentOperator(
            "kagent",
            config=config.agent_operator,
            namespace=inside,
            traces_url=around.traces_url,
            opts=foundation.in_cluster,
        ).namespace
    image = foundation.images.reference(config.agent_service.image)
    service = config.agent_service.model_copy(update={"image": image})
    if config.tool_server is not None:
        tool_server.ToolServer(
            "tool-server",
            config=config.tool_server,
            service=service,
            tools=documents.tools,
            namespace=inside,
            around=around,
            opts=foundation.in_cluster,
        )
    queues = {scaler.agent: scaler.queue for scaler in config.scalers.values()}
    for name, agent in documents.agents.items():
        AgentService(
            name,
            config=service,
            agent=agent,
            tools=documents.tools,
            catalog=default_catalog(),
            namespace=inside,
            around=replace(around, queue=queues.get(name, f"{name}-task-queue")),
            opts=foundation.in_cluster,
        )


def scalers(
    config: PlatformConfig,
    foundation: Foundation,
    namespaces: Namespaces,
    documents: Documents,
    around: Surroundings,
    metrics: Metrics,
) -> None:
    """Scaling by queue length and open sessions."""
    for name, scaler in config.scalers.items():
        AgentScaler(
            name,
            config=scaler,
            agent=scaler.agent,
            scaling=documents.agents[scaler.agent].spec.scaling,
            namespace=namespaces["ai-agents"],
            prometheus_url=given(metrics.url),
            redis_address=pulumi.Output.concat(
                around.session_store_host, ":", str(around.session_store_port)
            ),
            redis_secret=around.session_store_secret,
            redis_tls=around.session_store_tls,
            redis_ca_secret=around.session_store_ca_secret,
            opts=foundation.in_cluster,
        )


def samples(
    config: PlatformConfig,
    foundation: Foundation,
    namespaces: Namespaces,
    secrets: SecretStore,
    knowledge: Mapping[str, str],
    around: Surroundings,
) -> None:
    """What the sample agent talks to."""
    if config.samples is None:
        return
    SampleServices(
        "samples",
        config=config.samples,
        documents=knowledge,
        around=SampleSurroundings(
            gateway_url=around.gateway_url,
            gateway_key_secret=around.gateway_key_secret,
            vector_store_url=around.vector_store_url,
            ticketing_secret=secrets.names["ai-agents"]["ticketing-token"],
        ),
        namespace=namespaces["ai-agents"],
        opts=foundation.in_cluster,
    )
