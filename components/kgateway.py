"""The gateway on kgateway: its controller, the Gateway `ai-gateway` and everything around it."""

from collections.abc import Mapping
from typing import Any

from pulumi import ComponentResource, Input, Output, ResourceOptions

from components.base import metadata
from components.child_options import child_options, without_waits
from components.gateway_config import GATEWAY_NAME, GatewayConfig
from components.helm_chart import RECORDS_NAMESPACE, HelmChart
from components.kgateway_objects import manifests
from components.kubernetes_object import kubernetes_object
from components.ordering import after, placed
from inference.routing import RouteTable

SYSTEM_NAMESPACE = "kgateway-system"


class Kgateway(ComponentResource):
    """kgateway's controller and the Gateway that it serves."""

    ready: Output[str]
    """The Gateway's name, once everything exists."""

    def __init__(
        self,
        name: str,
        *,
        config: GatewayConfig,
        routes: RouteTable,
        namespace: Input[str],
        backend_namespaces: Mapping[str, Input[str]] | None = None,
        jwks: Input[str] | None = None,
        api_key_secret: Input[str] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:gateway:Kgateway", name, None, without_waits(opts))
        child = child_options(self, opts)
        system = kubernetes_object(
            f"{name}-system",
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": metadata(SYSTEM_NAMESPACE, component="gateway"),
            },
            opts=child,
        )
        home = after(SYSTEM_NAMESPACE, [system])
        crds = HelmChart(
            "kgateway-crds",
            chart="kgateway-crds",
            namespace=RECORDS_NAMESPACE,
            values={},
            opts=ResourceOptions(parent=self),
        )
        controller = HelmChart(
            "kgateway",
            chart="kgateway",
            namespace=home,
            values=controller_values(),
            opts=ResourceOptions.merge(child, ResourceOptions(depends_on=[crds])),
        )
        objects = manifests(
            config, routes, namespace=namespace, jwks=jwks, api_key_secret=api_key_secret
        )
        made = [
            kubernetes_object(
                f"{name}-{what}",
                placed(manifest, backend_namespaces or {}),
                opts=ResourceOptions(parent=self, depends_on=[controller]),
            )
            for what, manifest in objects.items()
        ]
        self.ready = after(GATEWAY_NAME, made)
        self.register_outputs({"ready": self.ready})


def controller_values() -> dict[str, Any]:
    """Two controllers: the proxies keep serving without one, but routes would stand still."""
    return {
        "controller": {
            "replicaCount": 2,
            "podDisruptionBudget": {"maxUnavailable": 1},
        },
    }
