"""A tenant: its namespace with quota, isolation, roles, and nodes of its own where asked for."""

from typing import Any, Literal

from pulumi import ComponentResource, Output, ResourceOptions
from pydantic import Field, field_validator

from components.access_control import AccessControlConfig, access_control_manifests
from components.admission_policies import ADMISSION_LABEL
from components.base import ConfigModel
from components.kubernetes_object import kubernetes_object
from components.namespace import (
    NamespaceConfig,
    PodSecurityLevel,
    namespace_manifest,
)
from components.ordering import after
from components.resource_quota import (
    ContainerDefaults,
    Quantity,
    ResourceQuotaConfig,
    limit_range_manifest,
    resource_quota_manifest,
)
from components.tenant_policy import platform_access_manifest, tenant_isolation_manifest
from components.traffic import TENANT_LABEL

DEFAULT_QUOTA = {
    "requests.cpu": "20",
    "requests.memory": "40Gi",
    "limits.cpu": "40",
    "limits.memory": "80Gi",
    "requests.nvidia.com/gpu": "4",
    "pods": "50",
    "services": "10",
}
NODE_TAINT = TENANT_LABEL
"""Key of the taint and label of a tenant's own nodes."""


class TenantConfig(ConfigModel):
    """What a stack decides about one tenant."""

    isolation: Literal["namespace", "node", "cluster"] = "namespace"
    """`namespace`: quota and policies. `node`: Pods also run on nodes of their own only."""
    quota: dict[str, Quantity] = Field(default_factory=lambda: dict(DEFAULT_QUOTA))
    """Upper bounds of the namespace."""
    container_defaults: ContainerDefaults = ContainerDefaults()
    """Requests and limits of containers that state none."""
    pod_security: PodSecurityLevel = "restricted"
    """The Pod Security Standard that admission enforces."""
    istio_injection: bool = False
    """Whether Pods get the mesh's sidecar."""
    access: AccessControlConfig = AccessControlConfig()
    """The tenant's own groups."""
    protect: bool = False
    """Refuse to delete the namespace, and with it all that it holds."""

    @field_validator("isolation")
    @classmethod
    def _one_cluster_a_stack(cls, value: str) -> str:
        if value == "cluster":
            raise ValueError(
                "'cluster' can't be made inside another tenant's cluster: give the tenant a stack "
                "of its own (copy Pulumi.prod.yaml), or choose 'namespace' or 'node'"
            )
        return value


def tenant_namespace_manifest(name: str, config: TenantConfig) -> dict[str, Any]:
    """The tenant's Namespace.

    With nodes of their own, the admission plugin PodNodeSelector would pin Pods; EKS does not
    offer it, so workloads read `node_placement` instead.
    """
    namespace = NamespaceConfig(
        pod_security=config.pod_security,
        istio_injection=config.istio_injection,
        labels={TENANT_LABEL: name, ADMISSION_LABEL: "tenant"},
    )
    return namespace_manifest(name, namespace)


def node_placement(name: str, config: TenantConfig) -> dict[str, Any]:
    """The fields of a Pod's spec that put it on the tenant's own nodes; empty without such."""
    if config.isolation != "node":
        return {}
    toleration = {"key": NODE_TAINT, "operator": "Equal", "value": name, "effect": "NoSchedule"}
    return {"nodeSelector": {NODE_TAINT: name}, "tolerations": [toleration]}


def tenant_manifests(name: str, config: TenantConfig) -> list[dict[str, Any]]:
    """What the tenant's namespace holds."""
    quota = ResourceQuotaConfig(name=f"{name}-quota", hard=config.quota)
    return [
        resource_quota_manifest(quota, namespace=name),
        limit_range_manifest(config.container_defaults, namespace=name),
        tenant_isolation_manifest(namespace=name),
        platform_access_manifest(namespace=name),
        *access_control_manifests(config.access, namespace=name),
    ]


class Tenant(ComponentResource):
    """A namespace named like the tenant, closed to the other tenants."""

    namespace: Output[str]
    """The namespace's name; its users wait for quota, policies and roles."""

    def __init__(
        self, name: str, *, config: TenantConfig, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("agentic:tenancy:Tenant", name, None, opts)
        namespace = kubernetes_object(
            name,
            tenant_namespace_manifest(name, config),
            opts=ResourceOptions(parent=self, protect=config.protect),
        )
        inside = [
            kubernetes_object(
                f"{name}-{manifest['metadata']['name']}",
                manifest,
                opts=ResourceOptions(parent=self, depends_on=[namespace]),
            )
            for manifest in tenant_manifests(name, config)
        ]
        self.namespace = after(name, [namespace, *inside])
        self.register_outputs({"namespace": self.namespace})
