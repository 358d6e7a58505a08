"""The wiring of the data layer: what agents remember, and what is recorded about them."""

from collections.abc import Iterable

import pulumi

from components.collection_bootstrap import CollectionBootstrap
from components.metrics import Metrics
from components.object_storage import Bucket, reader_writer_policy
from components.ordering import after
from components.pod_identity import PodIdentity
from components.secret_store import SecretStore
from components.session_store import SessionStore
from components.tracing import LangfuseTracingConfig, Tracing
from components.vector_store import ChartVectorStoreConfig, VectorStore
from infra.config import PlatformConfig, given
from infra.foundation import Foundation
from infra.ground import Namespaces


def sessions(
    config: PlatformConfig, foundation: Foundation, namespaces: Namespaces, secrets: SecretStore
) -> SessionStore:
    """Short-term memory and task queue."""
    group = foundation.security_group_id
    return SessionStore(
        "session-store",
        config=config.session_store,
        namespace=namespaces["ai-data"],
        password_secret=secrets.names["ai-data"]["session-store-auth"],
        client_namespace=namespaces["ai-agents"],
        subnet_ids=pulumi.Output.all(*foundation.private_subnet_ids),
        security_group_ids=[group] if group else None,
        opts=foundation.in_cluster,
    )


def vectors(config: PlatformConfig, foundation: Foundation, namespaces: Namespaces) -> VectorStore:
    """Long-term memory."""
    settings, namespace = config.vector_store, namespaces["ai-data"]
    bucket = foundation.buckets.get("vectors")
    if isinstance(settings, ChartVectorStoreConfig):
        namespace = _with_bucket(
            "vector-store", namespace, settings.service_account, given(bucket), foundation
        )
    return VectorStore(
        "vector-store",
        config=settings,
        namespace=namespace,
        client_namespace=namespaces["ai-agents"],
        bucket=bucket.name if bucket else None,
        region=foundation.region,
        opts=foundation.in_cluster,
    )


def traces(config: PlatformConfig, foundation: Foundation, namespaces: Namespaces) -> Tracing:
    """Where spans go."""
    settings, namespace = config.tracing, namespaces["observability"]
    bucket = foundation.buckets.get("traces")
    if isinstance(settings, LangfuseTracingConfig):
        namespace = _with_bucket(
            "tracing", namespace, settings.service_account, given(bucket), foundation
        )
    return Tracing(
        "tracing",
        config=settings,
        namespace=namespace,
        bucket=bucket.name if bucket else None,
        region=foundation.region,
        opts=foundation.on_nodes,
    )


def _with_bucket(
    name: str,
    namespace: pulumi.Output[str],
    service_account: str,
    bucket: Bucket,
    foundation: Foundation,
) -> pulumi.Output[str]:
    """The namespace, once the service account in it may use the bucket."""
    identity = PodIdentity(
        f"{name}-bucket",
        cluster=foundation.cluster_name,
        namespace=namespace,
        service_account=service_account,
        policy=pulumi.Output.all(
            bucket_arn=bucket.arn, key_arn=foundation.key_arns["storage"]
        ).apply(lambda arns: reader_writer_policy(**arns)),
        opts=foundation.in_cluster,
    )
    return after(namespace, [identity])


def static_targets(config: PlatformConfig, agents: Iterable[str]) -> dict[str, list[str]]:
    """`host:port`s by scrape target, for a Prometheus that finds nothing by itself."""
    models = config.model_servers.items()
    gateway = ["ai-gateway-metrics.ai-gateway.svc.cluster.local:9901"]
    return {
        "envoy-metrics": gateway if config.gateway.variant == "envoy" else [],
        "agent-metrics": [f"{name}-metrics.ai-agents.svc.cluster.local:9090" for name in agents],
        "model-metrics": [
            f"{name}.ai-inference.svc.cluster.local:{server.port or server.serving().port}"
            for name, server in models
            if server.engine != "external"
        ],
    }


def metrics(
    config: PlatformConfig, foundation: Foundation, namespaces: Namespaces, agents: Iterable[str]
) -> Metrics:
    """Monitors, alerts, dashboards."""
    return Metrics(
        "metrics",
        config=config.metrics,
        namespace=namespaces["observability"],
        static_targets=static_targets(config, agents),
        opts=foundation.in_cluster,
    )


def collections(
    config: PlatformConfig,
    foundation: Foundation,
    namespaces: Namespaces,
    vectors: VectorStore,
) -> None:
    """The collections that the platform promises, made by the runtime's own image."""
    if config.collections is None:
        return
    CollectionBootstrap(
        "collections",
        config=config.collections,
        namespace=namespaces["ai-agents"],
        image=foundation.images.reference(config.agent_service.image),
        vector_store_url=vectors.url,
        ca_secret=vectors.ca_secret,
        opts=foundation.in_cluster,
    )
