"""cert-manager, and the cluster's own authority that signs what stays inside."""

from typing import Any

import pulumi

from components.base import ConfigModel, metadata
from components.child_options import child_options
from components.helm_chart import HelmChart
from components.kubernetes_object import kubernetes_object
from components.namespace import Namespace, NamespaceConfig

NAMESPACE = "cert-manager"
INTERNAL_ISSUER = "internal-ca"
ROOT = "internal-root"


class CertManagerConfig(ConfigModel):
    """What a stack decides about certificates."""

    replicas: int = 1
    """Copies of controller, webhook and CA injector."""


def chart_values(config: CertManagerConfig) -> dict[str, Any]:
    """Values of the cert-manager chart; its CRDs stay when the release goes."""
    return {
        "crds": {"enabled": True, "keep": True},
        "replicaCount": config.replicas,
        "webhook": {"replicaCount": config.replicas},
        "cainjector": {"replicaCount": config.replicas},
        "config": {
            "apiVersion": "controller.config.cert-manager.io/v1alpha1",
            "kind": "ControllerConfiguration",
            "enableGatewayAPI": True,
        },
    }


def authority_manifests() -> list[dict[str, Any]]:
    """A self-signed root, and the ClusterIssuer that signs with it."""
    version = "cert-manager.io/v1"

    def about(name: str, namespace: str | None = None) -> dict[str, Any]:
        return metadata(name, component="certificates", namespace=namespace)

    root = {
        "isCA": True,
        "commonName": ROOT,
        "secretName": ROOT,
        "duration": "87600h",
        "privateKey": {"algorithm": "ECDSA", "size": 256},
        "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": "self-signed"},
    }
    return [
        {
            "apiVersion": version,
            "kind": "ClusterIssuer",
            "metadata": about("self-signed"),
            "spec": {"selfSigned": {}},
        },
        {
            "apiVersion": version,
            "kind": "Certificate",
            "metadata": about(ROOT, NAMESPACE),
            "spec": root,
        },
        {
            "apiVersion": version,
            "kind": "ClusterIssuer",
            "metadata": about(INTERNAL_ISSUER),
            "spec": {"ca": {"secretName": ROOT}},
        },
    ]


class CertManager(pulumi.ComponentResource):
    """Certificates on request; `internal-ca` signs for names inside the cluster."""

    ready: list[pulumi.Resource]
    """Certificates depend on these."""

    def __init__(
        self,
        name: str,
        *,
        config: CertManagerConfig,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:cluster:CertManager", name, None, opts)
        child = child_options(self, opts)
        namespace = Namespace(NAMESPACE, config=NamespaceConfig(), opts=child)
        chart = HelmChart(
            name,
            chart="cert-manager",
            namespace=namespace.namespace,
            values=chart_values(config),
            opts=child,
        )
        issuers: list[pulumi.Resource] = []
        for manifest in authority_manifests():
            waits = pulumi.ResourceOptions(parent=self, depends_on=[chart, *issuers])
            logical = f"{name}-{manifest['metadata']['name']}"
            issuers.append(kubernetes_object(logical, manifest, opts=waits))
        self.ready = [chart, *issuers]
        self.register_outputs({})
