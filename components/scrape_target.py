"""What is scraped: one list, rendered as ServiceMonitors or as a Prometheus configuration."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import Field

from components.base import ConfigModel, metadata


class ScrapeTarget(ConfigModel):
    """Services of one namespace whose port of that name serves metrics."""

    name: str
    """Name of the monitor, or of the scrape job."""
    namespace: str
    """Where the Services are."""
    match_labels: dict[str, str] = Field(default_factory=dict)
    """Labels of the Services; none means every Service of the namespace."""
    match_expressions: tuple[dict[str, Any], ...] = ()
    """Further label requirements, as Kubernetes writes them."""
    port: str = "metrics"
    """Name of the Service's port."""
    path: str = "/metrics"
    """HTTP path."""
    interval: str = Field(default="15s", pattern=r"^\d+(ms|s|m)$")
    """Time between two scrapes."""


MODEL_ENGINES = ["vllm", "sglang", "tgi", "llama-cpp", "embedding", "scripted"]

PLATFORM_TARGETS: tuple[ScrapeTarget, ...] = (
    ScrapeTarget(name="agent-metrics", namespace="ai-agents", match_labels={"app": "kagent"}),
    ScrapeTarget(
        name="tool-metrics",
        namespace="ai-agents",
        match_labels={"app.kubernetes.io/name": "tool-registry"},
    ),
    ScrapeTarget(
        name="model-metrics",
        namespace="ai-inference",
        match_expressions=({"key": "app", "operator": "In", "values": MODEL_ENGINES},),
        port="http",
    ),
    ScrapeTarget(
        name="envoy-metrics",
        namespace="ai-gateway",
        match_labels={"agentic.dev/metrics": "gateway"},
    ),
)
"""What the platform scrapes by itself; charts bring monitors of their own."""

GATEWAY_METRICS_PORT = 9091
"""Where a kgateway proxy serves Envoy's statistics; no Service carries it."""


def service_monitor_manifest(target: ScrapeTarget, *, namespace: Any) -> dict[str, Any]:
    """The ServiceMonitor of one target; `namespace` is where the monitor itself lives."""
    selector: dict[str, Any] = {}
    if target.match_labels:
        selector["matchLabels"] = dict(target.match_labels)
    if target.match_expressions:
        selector["matchExpressions"] = [*target.match_expressions]
    endpoint = {"port": target.port, "path": target.path, "interval": target.interval}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": metadata(target.name, component="observability", namespace=namespace),
        "spec": {
            "namespaceSelector": {"matchNames": [target.namespace]},
            "selector": selector,
            "endpoints": [endpoint],
        },
    }


def gateway_monitor_manifest(*, namespace: Any, gateway: str = "ai-gateway") -> dict[str, Any]:
    """A PodMonitor for the proxies that kgateway makes for a Gateway."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": metadata("gateway-metrics", component="observability", namespace=namespace),
        "spec": {
            "namespaceSelector": {"matchNames": ["ai-gateway"]},
            "selector": {"matchLabels": {"gateway.networking.k8s.io/gateway-name": gateway}},
            "podMetricsEndpoints": [
                {"portNumber": GATEWAY_METRICS_PORT, "path": "/metrics", "interval": "15s"}
            ],
        },
    }


def prometheus_configuration(
    targets: Iterable[ScrapeTarget],
    addresses: Mapping[str, Sequence[str]],
    *,
    rule_file: str,
) -> dict[str, Any]:
    """The `prometheus.yml` of a Prometheus that finds nothing by itself.

    `addresses` maps a target's name to `host:port`s; a target without any is left out, as is
    an address whose name is no target's.
    """
    jobs = [
        {
            "job_name": target.name,
            "metrics_path": target.path,
            "scrape_interval": target.interval,
            "static_configs": [
                {"targets": [*addresses[target.name]], "labels": {"namespace": target.namespace}}
            ],
        }
        for target in targets
        if addresses.get(target.name)
    ]
    return {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": [rule_file],
        "scrape_configs": jobs,
    }
