"""Istio: sidecars in the namespaces that ask for them, and mutual TLS between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pulumi

from components.base import ConfigModel, metadata
from components.child_options import child_options
from components.gateway_config import GATEWAY_NAME
from components.helm_chart import HelmChart
from components.kubernetes_object import kubernetes_object
from components.namespace import Namespace, NamespaceConfig
from components.scrape_target import GATEWAY_METRICS_PORT
from components.traffic import GATEWAY_PORTS, PROMETHEUS_PORT

NAMESPACE = "istio-system"


@dataclass(frozen=True)
class PlainTextDoor:
    """Ports of meshed Pods whose callers stand outside the mesh."""

    name: str
    namespace: str
    pods: Mapping[str, str]
    ports: tuple[int, ...]


PLAIN_TEXT_DOORS: tuple[PlainTextDoor, ...] = (
    PlainTextDoor(
        name="gateway-clients",
        namespace="ai-gateway",
        pods={"gateway.networking.k8s.io/gateway-name": GATEWAY_NAME},
        ports=(*GATEWAY_PORTS, GATEWAY_METRICS_PORT),
    ),
    PlainTextDoor(
        name="agent-metrics",
        namespace="ai-agents",
        pods={"app": "kagent"},
        ports=(PROMETHEUS_PORT,),
    ),
)
"""The gateway's clients bring keys, not certificates; Prometheus runs without a sidecar."""


class ServiceMeshConfig(ConfigModel):
    """What a stack decides about the mesh."""

    mtls: Literal["STRICT", "PERMISSIVE"]
    """STRICT refuses plain text between meshed Pods; PERMISSIVE takes both."""
    replicas: int = 1
    """Least number of istiod copies."""


def istiod_values(config: ServiceMeshConfig) -> dict[str, Any]:
    """Values of the istiod chart.

    With the CNI plugin no init container needs NET_ADMIN, which PSS `restricted` refuses.
    """
    return {
        # A sidecar that starts first and ends last: a Job with one completes, an agent that drains
        # can still reach its model.
        "pilot": {"cni": {"enabled": True}, "env": {"ENABLE_NATIVE_SIDECARS": "true"}},
        "autoscaleMin": config.replicas,
        "meshConfig": {"accessLogFile": "/dev/stdout", "enablePrometheusMerge": True},
    }


def peer_authentication_manifest(config: ServiceMeshConfig) -> dict[str, Any]:
    """The mesh-wide policy: it lies in the mesh's own namespace."""
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": metadata("default", component="mesh", namespace=NAMESPACE),
        "spec": {"mtls": {"mode": config.mtls}},
    }


def door_manifest(door: PlainTextDoor, *, namespace: Any) -> dict[str, Any]:
    """A policy that takes plain text too on the door's ports; the other ports keep the mesh's."""
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": metadata(door.name, component="mesh", namespace=namespace),
        "spec": {
            "selector": {"matchLabels": dict(door.pods)},
            "portLevelMtls": {str(port): {"mode": "PERMISSIVE"} for port in door.ports},
        },
    }


class MeshDoors(pulumi.ComponentResource):
    """Where the platform's meshed Pods are called from outside the mesh."""

    def __init__(
        self,
        name: str,
        *,
        namespaces: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`namespaces` maps the platform's names to their wires."""
        super().__init__("agentic:ground:MeshDoors", name, None, opts)
        for door in PLAIN_TEXT_DOORS:
            kubernetes_object(
                f"{name}-{door.name}",
                door_manifest(door, namespace=namespaces[door.namespace]),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})


class ServiceMesh(pulumi.ComponentResource):
    """The mesh's control plane and CNI plugin."""

    ready: list[pulumi.Resource]
    """Pods that start before these get no sidecar."""

    def __init__(
        self,
        name: str,
        *,
        config: ServiceMeshConfig,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:cluster:ServiceMesh", name, None, opts)
        # The CNI plugin writes to its node, which no stricter level allows.
        namespace = Namespace(
            NAMESPACE,
            config=NamespaceConfig(pod_security="privileged"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.ready = []
        charts: dict[str, dict[str, Any]] = {
            "istio-base": {},
            "istio-cni": {"cni": {"chained": True}},
            "istiod": istiod_values(config),
        }
        for chart, values in charts.items():
            waits = pulumi.ResourceOptions.merge(
                child_options(self, opts), pulumi.ResourceOptions(depends_on=[*self.ready])
            )
            self.ready.append(
                HelmChart(
                    chart, chart=chart, namespace=namespace.namespace, values=values, opts=waits
                )
            )
        kubernetes_object(
            name,
            peer_authentication_manifest(config),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*self.ready]),
        )
        self.register_outputs({})
