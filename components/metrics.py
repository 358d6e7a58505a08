"""Prometheus: the kube-prometheus-stack with monitors, alerts and dashboards, or one process."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import yaml
from pulumi import ComponentResource, Input, Output, Resource, ResourceOptions
from pydantic import Field, PositiveInt

from components.alert_rules import alert_groups, prometheus_rule_manifest
from components.base import ConfigModel, metadata
from components.dashboard import DASHBOARDS, dashboard_manifest
from components.embedded_process import EmbeddedProcess, ProcessResources, make_embedded_process
from components.helm_chart import HelmChart
from components.kubernetes_object import kubernetes_object
from components.namespace import NamespaceConfig, namespace_manifest
from components.ordering import after
from components.resource_quota import Quantity
from components.scrape_target import (
    PLATFORM_TARGETS,
    ScrapeTarget,
    gateway_monitor_manifest,
    prometheus_configuration,
    service_monitor_manifest,
)

SERVICE = "prometheus"
PORT = 9090
CONFIGURATION_FOLDER = "/etc/prometheus"
CONFIGURATION = "prometheus-configuration"
NODE_MONITORING = "node-monitoring"


class NoMetricsConfig(ConfigModel):
    """Nothing scrapes."""

    variant: Literal["none"] = "none"
    """Discriminator."""


class EmbeddedMetricsConfig(ConfigModel):
    """One Prometheus process with the same targets and alerts, but no dashboards."""

    variant: Literal["embedded"] = "embedded"
    """Discriminator."""
    image: str = "process.local/prometheus:2.42"
    """What the local node agent starts."""
    disk: Quantity = "2Gi"
    """Size of the volume."""
    resources: ProcessResources = ProcessResources(cpu="50m", memory="128Mi", memory_limit="512Mi")
    """What the scheduler sets aside."""


class ChartMetricsConfig(ConfigModel):
    """Prometheus, Alertmanager and Grafana by the kube-prometheus-stack."""

    variant: Literal["chart"] = "chart"
    """Discriminator."""
    retention: str = Field(default="15d", pattern=r"^\d+[hdwy]$")
    """How long samples are kept."""
    disk: Quantity = "100Gi"
    """Volume of each Prometheus."""
    replicas: PositiveInt = 2
    """Prometheus copies, each scraping everything."""
    cpu: Quantity = "500m"
    """CPU request of each copy."""
    memory: Quantity = "4Gi"
    """Memory request and limit of each copy."""
    storage_class: str | None = None
    """Class of the volumes; the cluster's default when left out."""
    grafana_secret: str | None = None
    """Secret with keys `admin-user` and `admin-password` in the same namespace; without it the
    chart makes up a password."""
    gateway_monitor: bool = True
    """Scrape the proxies that kgateway makes."""
    open_cost: bool = True
    """Install OpenCost, whose prices the cost dashboard reads."""


MetricsConfig = Annotated[
    NoMetricsConfig | EmbeddedMetricsConfig | ChartMetricsConfig, Field(discriminator="variant")
]


def embedded_process(config: EmbeddedMetricsConfig) -> EmbeddedProcess:
    """Prometheus as the node agent starts it."""
    return EmbeddedProcess(
        service=SERVICE,
        layer="observability",
        image=config.image,
        module="local.workloads.prometheus",
        port=PORT,
        arguments=("--config", f"{CONFIGURATION_FOLDER}/prometheus.yml", "--data", "/data"),
        ready_path="/-/ready",
        disk=config.disk,
        resources=config.resources,
    )


def configuration_files(addresses: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """`prometheus.yml` and `rules.yml` of the embedded variant."""
    configuration = prometheus_configuration(
        PLATFORM_TARGETS, addresses, rule_file=f"{CONFIGURATION_FOLDER}/rules.yml"
    )
    return {
        "prometheus.yml": yaml.safe_dump(configuration, sort_keys=False),
        "rules.yml": yaml.safe_dump({"groups": alert_groups()}, sort_keys=False),
    }


def stack_chart_values(config: ChartMetricsConfig) -> dict[str, Any]:
    """Values of the kube-prometheus-stack 88.5."""
    selectors = ("serviceMonitor", "podMonitor", "rule", "probe", "scrapeConfig")
    claim: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": config.disk}},
    }
    if config.storage_class is not None:
        claim["storageClassName"] = config.storage_class
    grafana: dict[str, Any] = {
        "sidecar": {"dashboards": {"enabled": True, "label": "grafana_dashboard"}}
    }
    if config.grafana_secret is not None:
        grafana["admin"] = {"existingSecret": config.grafana_secret}
    # What EKS runs itself can't be scraped, and alerts on it would never end.
    managed = ("kubeControllerManager", "kubeScheduler", "kubeEtcd", "kubeProxy")
    return {
        "prometheus": {
            "prometheusSpec": {
                **{f"{each}SelectorNilUsesHelmValues": False for each in selectors},
                "replicas": config.replicas,
                "retention": config.retention,
                "resources": {
                    "requests": {"cpu": config.cpu, "memory": config.memory},
                    "limits": {"memory": config.memory},
                },
                "storageSpec": {"volumeClaimTemplate": {"spec": claim}},
            }
        },
        "grafana": grafana,
        # The node exporter shares the node's network and processes: `baseline` forbids that.
        "prometheus-node-exporter": {"namespaceOverride": NODE_MONITORING},
        **{each: {"enabled": False} for each in managed},
    }


def open_cost_chart_values(namespace: Any) -> dict[str, Any]:
    """Values of the opencost chart 2.5, which asks the platform's Prometheus."""
    internal = {
        "enabled": True,
        "serviceName": SERVICE,
        "namespaceName": namespace,
        "port": PORT,
    }
    return {
        "opencost": {
            "prometheus": {"internal": internal, "external": {"enabled": False}},
            "metrics": {"serviceMonitor": {"enabled": True}},
            "mcp": {"enabled": False},
            "ui": {"enabled": False},
        }
    }


def prometheus_service_manifest(*, namespace: Any) -> dict[str, Any]:
    """The address that KEDA and OpenCost know, before the Pods that the operator makes."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(SERVICE, component="observability", namespace=namespace),
        "spec": {
            "selector": {"app.kubernetes.io/name": "prometheus"},
            "ports": [{"name": "http-web", "port": PORT, "targetPort": PORT}],
        },
    }


def monitor_manifests(
    config: ChartMetricsConfig, targets: Sequence[ScrapeTarget], *, namespace: Any
) -> list[dict[str, Any]]:
    """Monitors and alerts; they need the operator's kinds."""
    manifests = [service_monitor_manifest(target, namespace=namespace) for target in targets]
    if config.gateway_monitor:
        manifests.append(gateway_monitor_manifest(namespace=namespace))
    return [*manifests, prometheus_rule_manifest(namespace=namespace)]


class Metrics(ComponentResource):
    """Scrapes the platform and raises its alerts, at the Service `prometheus`."""

    url: Output[str] | None
    """Address of the query API; None where nothing scrapes."""

    def __init__(
        self,
        name: str,
        *,
        config: NoMetricsConfig | EmbeddedMetricsConfig | ChartMetricsConfig,
        namespace: Input[str],
        static_targets: Mapping[str, Sequence[Input[str]]] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        """`static_targets` maps the name of a platform target to `host:port`s, for `embedded`."""
        super().__init__("agentic:observability:Metrics", name, None, opts)
        host: Output[str] | None = None
        if isinstance(config, EmbeddedMetricsConfig):
            host = self._embedded(name, config, namespace, static_targets or {})
        elif isinstance(config, ChartMetricsConfig):
            host = self._chart(name, config, namespace)
        self.url = None if host is None else Output.concat("http://", host, f":{PORT}")
        self.register_outputs({"url": self.url})

    def _embedded(
        self,
        name: str,
        config: EmbeddedMetricsConfig,
        namespace: Input[str],
        static_targets: Mapping[str, Sequence[Input[str]]],
    ) -> Output[str]:
        addresses: Any = {job: [*hosts] for job, hosts in static_targets.items()}
        files = Output.from_input(addresses).apply(configuration_files)
        configuration = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(CONFIGURATION, component="observability", namespace=namespace),
            "data": files,
        }
        kubernetes_object(
            f"{name}-{CONFIGURATION}", configuration, opts=ResourceOptions(parent=self)
        )
        return make_embedded_process(
            name,
            embedded_process(config),
            namespace=namespace,
            parent=self,
            volumes=[{"name": "configuration", "configMap": {"name": CONFIGURATION}}],
            mounts=[{"name": "configuration", "mountPath": CONFIGURATION_FOLDER}],
            # Prometheus reads its configuration once, so another one means another Pod.
            annotations={"agentic.dev/configuration": files.apply(_digest)},
        )

    def _chart(self, name: str, config: ChartMetricsConfig, namespace: Input[str]) -> Output[str]:
        own = ResourceOptions(parent=self)
        nodes = namespace_manifest(NODE_MONITORING, NamespaceConfig(pod_security="privileged"))
        # Made and gone with the platform's own: it waits for what they wait for.
        nodes["metadata"]["name"] = Output.from_input(namespace).apply(lambda _: NODE_MONITORING)
        chart = HelmChart(
            "kube-prometheus-stack",
            chart="kube-prometheus-stack",
            namespace=namespace,
            values=stack_chart_values(config),
            # Monitors need the operator's kinds, which this chart keeps in its `crds` folder.
            skip_crds=False,
            opts=ResourceOptions(
                parent=self, depends_on=[kubernetes_object(NODE_MONITORING, nodes, opts=own)]
            ),
        )
        service = kubernetes_object(
            name, prometheus_service_manifest(namespace=namespace), opts=own
        )
        needs: list[Resource] = [chart.release]
        for manifest in monitor_manifests(config, PLATFORM_TARGETS, namespace=namespace):
            kubernetes_object(
                f"{name}-{manifest['metadata']['name']}",
                manifest,
                opts=ResourceOptions(parent=self, depends_on=needs),
            )
        for each in DASHBOARDS:
            kubernetes_object(
                f"{name}-{each}", dashboard_manifest(each, namespace=namespace), opts=own
            )
        if config.open_cost:
            HelmChart(
                "opencost",
                chart="opencost",
                namespace=namespace,
                values=open_cost_chart_values(namespace),
                opts=ResourceOptions(parent=self, depends_on=needs),
            )
        return after(
            Output.concat(SERVICE, ".", namespace, ".svc.cluster.local"), [service, chart.release]
        )


def _digest(files: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]
