"""What the admission policies take and what they refuse, each with the words of the refusal."""

from typing import Any

from components.admission_policies import (
    ADMISSION_LABEL,
    AdmissionPoliciesConfig,
    AdmissionPolicyConfig,
)
from components.namespace import NamespaceConfig, namespace_manifest
from components.tenant import TenantConfig, tenant_namespace_manifest

PLATFORM, STORES, TENANT, CHART = "ai-admission", "ai-admission-data", "tenant-adm", "chart-adm"
REGISTRY = "harbor.corp/images"
IMAGE = f"{REGISTRY}/docker.io/library/redis:8.2.1"
DIGEST = f"{REGISTRY}/redis@sha256:{'a' * 64}"
RESOURCES = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}
KEEPER = f"{PLATFORM}/keeper"
CONFIG = AdmissionPoliciesConfig(
    undisturbed_accounts=(KEEPER,),
    tenant_taints=("team/gpu-lab",),
    policies={
        "container-resources": AdmissionPolicyConfig(exempt_namespaces=(STORES,)),
    },
)
NAMESPACES = {
    PLATFORM: namespace_manifest(
        PLATFORM,
        NamespaceConfig(pod_security="privileged", labels={ADMISSION_LABEL: "platform"}),
    ),
    STORES: namespace_manifest(
        STORES, NamespaceConfig(pod_security="privileged", labels={ADMISSION_LABEL: "platform"})
    ),
    TENANT: tenant_namespace_manifest(TENANT, TenantConfig(pod_security="privileged")),
    CHART: namespace_manifest(CHART, NamespaceConfig(pod_security="privileged")),
}
GPU = {"limits": {"memory": "1Gi", "nvidia.com/gpu": "1"}, "requests": RESOURCES["requests"]}


def pod(
    name: str = "p",
    namespace: str = PLATFORM,
    *,
    annotations: dict[str, str] | None = None,
    image: str = IMAGE,
    resources: Any = RESOURCES,
    **spec: Any,
) -> dict[str, Any]:
    container = {"name": "c", "image": image, "resources": resources}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}},
        "spec": {"containers": [container], **spec},
    }


def with_init(image: str) -> dict[str, Any]:
    return pod(initContainers=[{"name": "i", "image": image, "resources": RESOURCES}])


def service(namespace: str = TENANT, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s", "namespace": namespace},
        "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}} | spec,
    }


def secret(kind: str) -> dict[str, Any]:
    metadata = {"name": "t", "namespace": PLATFORM}
    if kind == "kubernetes.io/service-account-token":
        metadata["annotations"] = {"kubernetes.io/service-account.name": "default"}  # type: ignore[assignment] # a mapping among texts
    return {"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": metadata}


def toleration(**it: str) -> dict[str, Any]:
    return {"effect": "NoSchedule", **it}


KEEP = {"karpenter.sh/do-not-disrupt": "true"}
GPU_NODES = toleration(key="nvidia.com/gpu", operator="Exists")
OWN_NODES = toleration(key="agentic.dev/tenant", value=TENANT)
OTHERS_NODES = toleration(key="agentic.dev/tenant", value="tenant-b")

CASES: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("image-exact", pod(image=f"{REGISTRY}/redis:latest"), "image harbor.corp/images/redis:latest"),
    ("image-exact", pod(image=f"{REGISTRY}/redis"), "image harbor.corp/images/redis: "),
    ("image-exact", pod(image=f"{REGISTRY}/x:5000/redis"), "digest, or a tag"),
    ("image-exact", with_init(f"{REGISTRY}/redis:main"), "redis:main"),
    ("image-registry", pod(image="redis:8.2.1"), "allowed are those of harbor.corp/images"),
    ("image-registry", pod(image="harbor.corp/images.evil/redis:8.2.1"), "images.evil"),
    ("image-registry", with_init("docker.io/redis:8.2.1"), "image docker.io/redis:8.2.1"),
    ("image-registry", pod(namespace=TENANT, image="redis:8.2.1"), "image redis:8.2.1"),
    ("container-resources", pod(resources={}), "container c: state requests.cpu"),
    ("container-resources", pod(resources={"requests": {"cpu": "1"}}), "limits.memory"),
    ("do-not-disrupt", pod(annotations=KEEP), "ServiceAccount ai-admission/default is not among"),
    ("account-token", secret("kubernetes.io/service-account-token"), "such a token never ends"),
    ("tenant-service", service(type="LoadBalancer"), "type LoadBalancer: use ClusterIP"),
    ("tenant-service", service(type="NodePort"), "type NodePort"),
    ("tenant-service", service(externalIPs=["10.0.0.1"]), "externalIPs 10.0.0.1"),
    (
        "tenant-scheduling",
        pod(namespace=TENANT, priorityClassName="system-node-critical"),
        "priorityClassName system-node-critical: allowed are agentic-agents, agentic-batch",
    ),
    ("tenant-scheduling", pod(namespace=TENANT, tolerations=[GPU_NODES]), "nvidia.com/gpu: allow"),
    (
        "tenant-scheduling",
        pod(
            namespace=TENANT,
            resources={**RESOURCES, "limits": {"memory": "1Gi", "nvidia.com/gpu": "0"}},
            tolerations=[GPU_NODES],
        ),
        "toleration nvidia.com/gpu",
    ),
    (
        "tenant-scheduling",
        pod(namespace=TENANT, tolerations=[OTHERS_NODES]),
        "toleration agentic.dev/tenant",
    ),
    (
        "tenant-scheduling",
        pod(
            namespace=TENANT, tolerations=[toleration(key="agentic.dev/tenant", operator="Exists")]
        ),
        "toleration agentic.dev/tenant",
    ),
    (
        "tenant-scheduling",
        pod(namespace=TENANT, tolerations=[toleration(operator="Exists")]),
        "toleration of everything",
    ),
    ("tenant-scheduling", pod(namespace=TENANT, nodeName="n1"), "nodeName n1"),
)
PASSING: tuple[dict[str, Any], ...] = (
    pod(),
    pod(image=DIGEST),
    with_init(DIGEST),
    pod(namespace=STORES, resources={}),
    pod(annotations=KEEP, serviceAccountName="keeper"),
    pod(annotations={"karpenter.sh/do-not-disrupt": "false"}),
    pod(tolerations=[OTHERS_NODES], nodeName="n1"),
    secret("Opaque"),
    service(),
    service(namespace=PLATFORM, type="LoadBalancer"),
    pod(namespace=TENANT, priorityClassName="agentic-batch"),
    pod(namespace=TENANT, resources=GPU, tolerations=[GPU_NODES]),
    pod(namespace=TENANT, tolerations=[OWN_NODES, toleration(key="team/gpu-lab", value="x")]),
    pod(
        namespace=TENANT,
        tolerations=[toleration(key="node.kubernetes.io/memory-pressure", operator="Exists")],
    ),
    pod(namespace=CHART, image="redis", resources={}, annotations=KEEP),
)
