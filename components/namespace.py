"""A namespace of the platform: Pod security level, mesh membership, quota and defaults."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pulumi import ComponentResource, Output, ResourceOptions
from pydantic import Field

from components.base import ConfigModel, metadata
from components.child_options import child_options
from components.kubernetes_object import kubernetes_object
from components.ordering import after
from components.resource_quota import (
    ContainerDefaults,
    ResourceQuotaConfig,
    limit_range_manifest,
    resource_quota_manifest,
)

PodSecurityLevel = Literal["restricted", "baseline", "privileged"]


class NamespaceConfig(ConfigModel):
    """What a stack decides about one namespace."""

    pod_security: PodSecurityLevel = "restricted"
    """The Pod Security Standard that admission enforces."""
    istio_injection: bool = False
    """Whether Pods get the mesh's sidecar; needs a mesh."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Further labels of the namespace."""
    quota: ResourceQuotaConfig | None = None
    """Upper bounds of the namespace; none when left out."""
    container_defaults: ContainerDefaults | None = None
    """Requests and limits of containers that state none; always set where there is a quota."""
    protect: bool = False
    """Refuse to delete the namespace, and with it all that it holds."""


DEFAULT_NAMESPACES: Mapping[str, NamespaceConfig] = MappingProxyType(
    {
        "ai-gateway": NamespaceConfig(pod_security="restricted", istio_injection=True),
        "ai-agents": NamespaceConfig(
            pod_security="baseline",
            istio_injection=True,
            quota=ResourceQuotaConfig(
                name="ai-agents-quota",
                hard={
                    "requests.cpu": "50",
                    "requests.memory": "100Gi",
                    "limits.cpu": "100",
                    "limits.memory": "200Gi",
                    "pods": "200",
                },
            ),
        ),
        "ai-inference": NamespaceConfig(
            pod_security="privileged",
            quota=ResourceQuotaConfig(
                name="ai-inference-quota",
                hard={
                    "requests.cpu": "100",
                    "requests.memory": "500Gi",
                    "limits.cpu": "200",
                    "limits.memory": "1Ti",
                    "requests.nvidia.com/gpu": "32",
                    "persistentvolumeclaims": "50",
                },
            ),
            container_defaults=ContainerDefaults(limit_cpu="4", limit_memory="16Gi"),
        ),
        "ai-data": NamespaceConfig(pod_security="baseline"),
        "observability": NamespaceConfig(pod_security="baseline"),
    }
)
"""The platform's namespaces with the reference architecture's labels and quotas."""


def pod_security_labels(level: PodSecurityLevel) -> dict[str, str]:
    """Enforce `level`; audit and warn one step stricter, to see violations before they bite."""
    stricter = {"privileged": "baseline"}.get(level, "restricted")
    prefix = "pod-security.kubernetes.io"
    return {f"{prefix}/enforce": level, f"{prefix}/audit": stricter, f"{prefix}/warn": stricter}


def namespace_manifest(name: str, config: NamespaceConfig) -> dict[str, Any]:
    """The Namespace object with its admission labels."""
    labels = pod_security_labels(config.pod_security) | config.labels
    if config.istio_injection:
        labels["istio-injection"] = "enabled"
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": metadata(name, component="namespace", labels=labels),
    }


def namespace_manifests(name: str, config: NamespaceConfig) -> list[dict[str, Any]]:
    """The Namespace first, then what bounds it."""
    manifests = [namespace_manifest(name, config)]
    defaults = config.container_defaults
    if config.quota is not None:
        manifests.append(resource_quota_manifest(config.quota, namespace=name))
        defaults = defaults or ContainerDefaults()
    if defaults is not None:
        manifests.append(limit_range_manifest(defaults, namespace=name))
    return manifests


class Namespace(ComponentResource):
    """A namespace named like the component, with its quota and defaults in place.

    What it waits for, all in it waits for: one dependency of each object instead of dozens.
    """

    namespace: Output[str]
    """The name; its users wait for quota and defaults too, so that no Pod slips in before them."""

    def __init__(
        self, name: str, *, config: NamespaceConfig, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("agentic:ground:Namespace", name, None, opts)
        first, *bounds = namespace_manifests(name, config)
        waiting = child_options(self, opts)
        namespace = kubernetes_object(
            name,
            first,
            opts=ResourceOptions.merge(waiting, ResourceOptions(protect=config.protect)),
        )
        inside = [
            kubernetes_object(
                f"{name}-{manifest['metadata']['name']}",
                manifest,
                opts=ResourceOptions(parent=self, depends_on=[namespace]),
            )
            for manifest in bounds
        ]
        self.namespace = after(name, [namespace, *inside])
        self.register_outputs({"namespace": self.namespace})
