"""KEDA: scales agents on queue length and on metrics."""

from typing import Any

from pulumi import ComponentResource, Output, Resource, ResourceOptions
from pydantic import PositiveInt

from components.base import ConfigModel
from components.child_options import child_options
from components.helm_chart import KEEP, HelmChart
from components.kubernetes_object import kubernetes_object
from components.namespace import NamespaceConfig, namespace_manifest
from components.ordering import after

NAMESPACE = "keda"


class AutoscalingOperatorConfig(ConfigModel):
    """What a stack decides about KEDA."""

    replicas: PositiveInt = 2
    """Copies of the operator; one leads."""
    service_monitor: bool = True
    """Have Prometheus scrape KEDA; needs the ServiceMonitor kind."""


def keda_chart_values(config: AutoscalingOperatorConfig) -> dict[str, Any]:
    """Values of the keda chart 2.20."""
    scraped = {"enabled": True, "serviceMonitor": {"enabled": config.service_monitor}}
    return {
        "crds": {"install": True, "additionalAnnotations": KEEP},
        "operator": {"replicaCount": config.replicas},
        "prometheus": {"operator": scraped, "metricServer": scraped, "webhooks": scraped},
    }


class AutoscalingOperator(ComponentResource):
    """KEDA in a namespace of its own."""

    namespace: Output[str]
    """Its namespace; users wait for the operator and its kinds."""
    release: Resource
    """What ScaledObjects depend on."""

    def __init__(
        self,
        name: str,
        *,
        config: AutoscalingOperatorConfig,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("agentic:ground:AutoscalingOperator", name, None, opts)
        home = kubernetes_object(
            NAMESPACE,
            namespace_manifest(NAMESPACE, NamespaceConfig(pod_security="restricted")),
            opts=child_options(self, opts),
        )
        chart = HelmChart(
            "keda",
            chart="keda",
            namespace=after(NAMESPACE, [home]),
            values=keda_chart_values(config),
            opts=child_options(self, opts),
        )
        self.release = chart.release
        self.namespace = after(NAMESPACE, [chart.release])
        self.register_outputs({"namespace": self.namespace})
