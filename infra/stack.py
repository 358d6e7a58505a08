"""The wiring page: the layers in their order, outputs handed on."""

from typing import Any

from components.runtime_pod import Surroundings
from components.tenant import Tenant
from infra import ground, serving, stores
from infra.config import (
    CHECKOUT,
    FoundationStackConfig,
    PlatformConfig,
    StackConfig,
    TenantStackConfig,
)
from infra.contract import OUTPUT
from infra.documents import read_documents, require_agents, require_models, sample_documents
from infra.exports import contract
from infra.foundation import cluster_of_tenant, found, found_on_eks
from infra.quota_rules import require_quotas
from infra.secret_rules import require_secrets


def build(config: StackConfig, region: str | None) -> dict[str, Any]:
    """All resources of one stack; the result is what it exports."""
    if isinstance(config, TenantStackConfig):
        return _tenant(config)
    if isinstance(config, FoundationStackConfig):
        return {OUTPUT: contract(found_on_eks(config, config.cluster.eks, region))}
    return _platform(config, region)


def _tenant(config: TenantStackConfig) -> dict[str, Any]:
    tenant = Tenant(config.tenant.name, config=config.tenant, opts=cluster_of_tenant(config))
    return {"namespace": tenant.namespace}


def _platform(config: PlatformConfig, region: str | None) -> dict[str, Any]:
    documents = read_documents(config.agents, root=CHECKOUT)
    require_agents(documents, {name: it.agent for name, it in config.scalers.items()})
    require_models(
        documents,
        [route.name for route in config.gateway.models],
        embedding=config.agent_service.embedding_model,
    )
    knowledge = sample_documents(config.samples, root=CHECKOUT)
    require_secrets(config, documents, folder=ground.secrets_folder(config))
    require_quotas(config, documents)
    foundation = found(config, region)
    operators = ground.operators(config, foundation)
    namespaces = ground.namespaces(config, foundation, operators)
    secrets = ground.secrets(config, foundation, namespaces)
    sessions = stores.sessions(config, foundation, namespaces, secrets)
    vectors = stores.vectors(config, foundation, namespaces)
    traces = stores.traces(config, foundation, namespaces)
    stores.collections(config, foundation, namespaces, vectors)
    metrics = stores.metrics(config, foundation, namespaces, documents.agents)
    gateway = serving.gateway(config, foundation, namespaces, secrets, sessions, traces, documents)
    serving.models(config, foundation, namespaces, metrics)
    around = Surroundings(
        gateway_url=gateway.url,
        gateway_key_secret=secrets.names["ai-agents"]["gateway-api-key"],
        session_store_secret=secrets.names["ai-agents"]["session-store-auth"],
        vector_store_url=vectors.url,
        vector_store_token_secret=vectors.token_secret,
        vector_store_ca_secret=vectors.ca_secret,
        session_store_ca_secret=sessions.ca_secret,
        session_store_host=sessions.host,
        session_store_port=sessions.port,
        session_store_tls=sessions.tls,
        session_store_replicas=sessions.replicas,
        traces_url=traces.url,
        traces_headers_secret=traces.headers_secret,
    )
    serving.agents(config, foundation, namespaces, documents, around)
    serving.scalers(config, foundation, namespaces, documents, around, metrics)
    serving.samples(config, foundation, namespaces, secrets, knowledge, around)
    for name, tenant in config.tenants.items():
        Tenant(name, config=tenant, opts=foundation.in_cluster)
    return {
        OUTPUT: contract(foundation),
        "kubeconfig": foundation.kubeconfig,
        "clusterName": foundation.cluster_name,
        "registries": dict(foundation.registry_urls),
        "buckets": {name: bucket.name for name, bucket in foundation.buckets.items()},
        "gateway": gateway.url,
        "sessionStore": sessions.host,
        "vectorStore": vectors.url,
        "traces": traces.url,
        "metrics": metrics.url,
    }
