"""The gateway on agentgateway: its controller, the Gateway `ai-gateway`, everything around it."""

from collections.abc import Mapping
from typing import Any

from pulumi import ComponentResource, Input, Output, Resource, ResourceOptions

from components import agentgateway_objects, agentgateway_routes, endpoint_picker
from components.agentgateway_objects import KEYS_SECRET, key_entries
from components.base import metadata
from components.child_options import child_options, without_waits
from components.gateway_config import GATEWAY_NAME, GatewayConfig
from components.helm_chart import RECORDS_NAMESPACE, HelmChart
from components.kubernetes_object import kubernetes_object
from components.ordering import after, placed
from inference.routing import RouteTable

SYSTEM_NAMESPACE = "agentgateway-system"


class Agentgateway(ComponentResource):
    """agentgateway's controller and the Gateway that it serves."""

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
        api_keys: Mapping[str, Input[str]] | None = None,
        api_key_secret: Input[str] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        """API keys by tenant, or the name of the Secret that another operator fills with hashes."""
        super().__init__("agentic:gateway:Agentgateway", name, None, without_waits(opts))
        child = child_options(self, opts)
        controller = self._controller(name, child, pools=bool(endpoint_picker.pooled(routes)))
        given = bool(api_keys) or api_key_secret is not None
        objects = agentgateway_objects.manifests(
            config, namespace=namespace, jwks=jwks, api_keys=given
        )
        objects |= agentgateway_routes.manifests(routes, gateway=GATEWAY_NAME, namespace=namespace)
        objects |= endpoint_picker.manifests(routes)
        if api_keys:
            objects["keys"] = _keys(api_keys, namespace)
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

    def _controller(self, name: str, child: ResourceOptions, *, pools: bool) -> Resource:
        meta = metadata(SYSTEM_NAMESPACE, component="gateway")
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
        home = after(SYSTEM_NAMESPACE, [kubernetes_object(f"{name}-system", space, opts=child)])
        crds = HelmChart(
            "agentgateway-crds",
            chart="agentgateway-crds",
            namespace=RECORDS_NAMESPACE,
            values={},
            opts=ResourceOptions(parent=self),
        )
        return HelmChart(
            "agentgateway",
            chart="agentgateway",
            namespace=home,
            values=controller_values(pools=pools),
            opts=ResourceOptions.merge(child, ResourceOptions(depends_on=[crds])),
        )


def controller_values(*, pools: bool) -> dict[str, Any]:
    """Two controllers: the proxies keep serving without one, but routes would stand still."""
    return {
        "controller": {"replicaCount": 2, "podDisruptionBudget": {"maxUnavailable": 1}},
        "inferenceExtension": {"enabled": pools},
        "monitoring": {"enabled": True},
    }


def _keys(api_keys: Mapping[str, Input[str]], namespace: Input[str]) -> dict[str, Any]:
    hashes: Output[Any] = Output.all(**dict(api_keys)).apply(key_entries)
    meta = metadata(KEYS_SECRET, component="gateway", namespace=namespace)
    content: dict[str, Any] = {"stringData": Output.secret(hashes)}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta} | content
