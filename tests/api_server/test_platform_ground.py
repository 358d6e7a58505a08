"""Namespaces, quotas, policies, roles, stores and monitors against a real API server."""

from collections.abc import Iterator
from typing import Any

import pytest

from components.access_control import AccessControlConfig, access_control_manifests
from components.collection_bootstrap import (
    CollectionBootstrapConfig,
    VectorStoreUser,
    bootstrap_job_manifest,
    plan_manifest,
)
from components.dashboard import DASHBOARDS, dashboard_manifest
from components.embedded_process import claim_manifest, deployment_manifest, service_manifest
from components.metrics import (
    ChartMetricsConfig,
    monitor_manifests,
    prometheus_service_manifest,
)
from components.namespace import DEFAULT_NAMESPACES, namespace_manifests
from components.network_policy import namespace_policies
from components.pod_security import restricted_container, restricted_pod
from components.priority_class import DEFAULT_PRIORITY_CLASSES, priority_class_manifest
from components.scrape_target import PLATFORM_TARGETS
from components.secret_store import (
    PLATFORM_SECRETS,
    ExternalSecretsConfig,
    external_secret_manifest,
    secret_manifest,
    secret_store_manifest,
)
from components.session_store import certificate_manifest, client_certificate_manifest
from components.tenant import TenantConfig, tenant_manifests, tenant_namespace_manifest
from components.tracing import LANGFUSE_SECRETS
from components.traffic import PLATFORM, TrafficConfig
from components.vector_store import certificate_manifests
from components.vector_store_backup import VectorStoreBackupConfig, backup_manifests
from local.kube import ApiError
from tests.components.test_embedded_process import PROCESSES
from tests.harness.api_server import ApiServer

pytestmark = pytest.mark.api_server

TENANT = TenantConfig(access=AccessControlConfig(operator_groups=("tenant-a-operators",)))
ACCESS = AccessControlConfig(
    operator_groups=("agent-operators",),
    viewer_groups=("agent-viewers",),
    operator_secrets=("agent-token",),
)
CLOUD = TrafficConfig(cloud_cidr="10.20.0.0/16", mesh=True)
SECURED_PLAN = CollectionBootstrapConfig(
    auth_secret="milvus-auth", users={"agents": VectorStoreUser()}, databases={"tenant_a": ()}
)
VALUES = {source: "x" for entry in PLATFORM_SECRETS for source in entry.keys.values()}


def core_manifests() -> Iterator[dict[str, Any]]:
    for name, config in DEFAULT_NAMESPACES.items():
        yield from namespace_manifests(name, config)
    for name in PLATFORM:
        yield from namespace_policies(name, CLOUD, namespace=name)
    yield from access_control_manifests(ACCESS, namespace="ai-agents")
    yield from (priority_class_manifest(*each) for each in DEFAULT_PRIORITY_CLASSES.items())
    for entry in PLATFORM_SECRETS:
        for namespace in entry.namespaces:
            yield secret_manifest(entry, VALUES, namespace=namespace)
    for process in PROCESSES.values():
        namespace = "observability" if process.layer == "observability" else "ai-data"
        yield claim_manifest(process, namespace=namespace)
        yield deployment_manifest(process, namespace=namespace, annotations={"a": "b"})
        yield service_manifest(process, namespace=namespace)
    for plan in (CollectionBootstrapConfig(), SECURED_PLAN):
        yield plan_manifest(plan, namespace="ai-agents")
        yield bootstrap_job_manifest(
            plan,
            namespace="ai-agents",
            image="registry.example.com/agent-runtime:1",
            vector_store_url="https://milvus.ai-data.svc.cluster.local:19530",
            ca_secret="milvus-client-tls" if plan.auth_secret else None,
        )
    for secured in (False, True):
        yield from backup_manifests(
            VectorStoreBackupConfig(),
            namespace="ai-data",
            settings="milvus: {}",
            tls=secured,
            authentication=secured,
        )
    yield prometheus_service_manifest(namespace="observability")
    yield from (dashboard_manifest(each, namespace="observability") for each in DASHBOARDS)
    yield tenant_namespace_manifest("tenant-a", TENANT)
    yield from tenant_manifests("tenant-a", TENANT)


def identity(manifest: dict[str, Any]) -> str:
    metadata = manifest["metadata"]
    return f"{manifest['kind']}-{metadata.get('namespace', '')}-{metadata['name']}"


def pod(name: str, namespace: str, **container: Any) -> dict[str, Any]:
    plain = {"name": "c", "image": "registry.example.com/c:1"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [plain | container]},
    }


@pytest.fixture(scope="module")
def ground(api_server: ApiServer) -> ApiServer:
    """The platform's namespaces with quotas in force, roles and a tenant, really made."""
    manifests = [
        each
        for name, config in DEFAULT_NAMESPACES.items()
        for each in namespace_manifests(name, config)
    ]
    manifests += access_control_manifests(ACCESS, namespace="ai-agents")
    manifests += [tenant_namespace_manifest("tenant-a", TENANT)]
    manifests += tenant_manifests("tenant-a", TENANT)
    for manifest in manifests:
        api_server.client.apply(manifest)
    for manifest in manifests:
        if manifest["kind"] == "ResourceQuota":
            api_server.client.wait(
                "v1",
                "ResourceQuota",
                manifest["metadata"]["name"],
                manifest["metadata"]["namespace"],
                until=lambda found: bool(found and found.get("status", {}).get("hard")),
            )
    return api_server


@pytest.mark.parametrize("manifest", list(core_manifests()), ids=identity)
def test_the_api_server_accepts_each_object_strictly(
    ground: ApiServer, manifest: dict[str, Any]
) -> None:
    stored = ground.dry_run(manifest)
    assert stored["metadata"]["name"] == manifest["metadata"]["name"]


def test_monitors_and_alerts_fit_the_operators_schemas(ground: ApiServer) -> None:
    ground.load_crds("prometheus-operator")
    manifests = monitor_manifests(ChartMetricsConfig(), PLATFORM_TARGETS, namespace="observability")
    for manifest in manifests:
        ground.dry_run(manifest)
    manifests[0]["spec"]["endpoints"][0]["interval"] = "often"
    with pytest.raises(ApiError, match="interval"):
        ground.dry_run(manifests[0])


def test_external_secrets_fit_their_schemas(ground: ApiServer) -> None:
    ground.load_crds("external-secrets")
    config = ExternalSecretsConfig(
        region="eu-west-1", entries=(*PLATFORM_SECRETS, *LANGFUSE_SECRETS)
    )
    ground.dry_run(secret_store_manifest(config))
    for entry in config.entries:
        for namespace in entry.namespaces:
            ground.dry_run(external_secret_manifest(config, entry, namespace=namespace))


def test_the_stores_certificate_fits_its_schema(ground: ApiServer) -> None:
    ground.load_crds("cert-manager")
    ground.dry_run(certificate_manifest("internal", namespace="ai-data"))
    ground.dry_run(client_certificate_manifest("internal"))
    for certificate in certificate_manifests("internal", namespace="ai-data"):
        ground.dry_run(certificate)


@pytest.mark.parametrize("process", PROCESSES.values(), ids=PROCESSES.keys())
def test_embedded_pods_would_run_even_where_restricted_is_enforced(
    ground: ApiServer, process: Any
) -> None:
    spec = deployment_manifest(process, namespace="ai-gateway")["spec"]["template"]["spec"]
    # The class is made with the real platform; who admits the Pod is not its business.
    spec = {key: value for key, value in spec.items() if key != "priorityClassName"}
    manifest = pod(process.service, "ai-gateway") | {"spec": spec}
    assert ground.dry_run(manifest)["spec"]["securityContext"]["runAsNonRoot"] is True


def test_a_privileged_pod_is_refused_among_agents_and_admitted_among_models(
    ground: ApiServer,
) -> None:
    wanted = {"securityContext": {"privileged": True}}
    with pytest.raises(ApiError, match=r"violates PodSecurity .*baseline"):
        ground.dry_run(pod("privileged", "ai-agents", **wanted))
    ground.dry_run(pod("privileged", "ai-inference", **wanted))


def test_a_pod_without_a_security_context_is_refused_at_the_gateway(ground: ApiServer) -> None:
    with pytest.raises(ApiError, match=r"violates PodSecurity .*restricted"):
        ground.dry_run(pod("plain", "ai-gateway"))


def test_a_container_that_states_nothing_gets_the_defaults(ground: ApiServer) -> None:
    stored = ground.dry_run(pod("plain", "ai-agents"))
    assert stored["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "50m", "memory": "128Mi"},
        "limits": {"cpu": "1", "memory": "1Gi"},
    }


def test_more_gpus_than_the_quota_are_refused(ground: ApiServer) -> None:
    def with_gpus(count: str) -> dict[str, Any]:
        return pod("gpus", "ai-inference", resources={"limits": {"nvidia.com/gpu": count}})

    ground.dry_run(with_gpus("32"))
    with pytest.raises(ApiError, match=r"exceeded quota: ai-inference-quota.*nvidia\.com/gpu=33"):
        ground.dry_run(with_gpus("33"))


def test_a_tenant_can_not_take_more_than_its_share(ground: ApiServer) -> None:
    manifest = pod(
        "greedy",
        "tenant-a",
        resources={"requests": {"cpu": "21"}, "limits": {"cpu": "21"}},
        securityContext=restricted_container(),
    )
    manifest["spec"]["securityContext"] = restricted_pod()
    with pytest.raises(ApiError, match=r"exceeded quota: tenant-a-quota.*requests\.cpu=21"):
        ground.dry_run(manifest)


def allowed(
    server: ApiServer,
    group: str,
    verb: str,
    resource: str,
    *,
    name: str = "",
    api: str = "",
    namespace: str = "ai-agents",
    subresource: str = "",
) -> bool:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "metadata": {},
        "spec": {
            "user": "someone",
            "groups": [group],
            "resourceAttributes": {
                "verb": verb,
                "group": api,
                "resource": resource,
                "subresource": subresource,
                "name": name,
                "namespace": namespace,
            },
        },
    }
    return bool(server.client.create(review)["status"]["allowed"])


def test_a_viewer_sees_agents_and_deletes_nothing(ground: ApiServer) -> None:
    viewer = "agent-viewers"
    assert allowed(ground, viewer, "list", "agents", api="kagent.dev")
    assert allowed(ground, viewer, "get", "pods", subresource="log")
    assert not allowed(ground, viewer, "delete", "agents", api="kagent.dev")
    assert not allowed(ground, viewer, "delete", "pods")
    assert not allowed(ground, viewer, "get", "secrets", name="agent-token")
    assert not allowed(ground, viewer, "list", "agents", api="kagent.dev", namespace="tenant-a")


def test_an_operator_changes_agents_and_reads_named_secrets_only(ground: ApiServer) -> None:
    operator = "agent-operators"
    assert allowed(ground, operator, "create", "agents", api="kagent.dev")
    assert allowed(ground, operator, "delete", "tools", api="tools.kagent.dev")
    assert allowed(ground, operator, "get", "secrets", name="agent-token")
    assert not allowed(ground, operator, "get", "secrets", name="session-store-auth")
    assert not allowed(ground, operator, "list", "secrets")
    assert not allowed(ground, operator, "delete", "pods")


def test_a_tenants_operators_have_no_say_elsewhere(ground: ApiServer) -> None:
    operator = "tenant-a-operators"
    own = {"api": "kagent.dev", "namespace": "tenant-a"}
    assert allowed(ground, operator, "create", "agents", **own)
    assert not allowed(ground, operator, "create", "agents", api="kagent.dev")
