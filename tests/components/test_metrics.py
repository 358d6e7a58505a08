"""Scraping and alerts, the same in every variant."""

from typing import Any

import pytest
import yaml

from components.alert_rules import alert_groups, prometheus_rule_manifest
from components.metrics import (
    ChartMetricsConfig,
    EmbeddedMetricsConfig,
    Metrics,
    NoMetricsConfig,
    configuration_files,
    stack_chart_values,
)
from components.scrape_target import PLATFORM_TARGETS, service_monitor_manifest
from tests.harness.recording import Recording, record

pytestmark = pytest.mark.unit

AGENT = "customer-support-agent-metrics.ai-agents.svc.cluster.local:9090"


def build(config: Any, **wires: Any) -> Recording:
    return record(
        lambda: {"url": Metrics("metrics", config=config, namespace="observability", **wires).url}
    )


def test_the_agents_monitor_is_the_architectures() -> None:
    manifest = service_monitor_manifest(PLATFORM_TARGETS[0], namespace="observability")
    assert manifest["metadata"]["name"] == "agent-metrics"
    assert manifest["spec"] == {
        "namespaceSelector": {"matchNames": ["ai-agents"]},
        "selector": {"matchLabels": {"app": "kagent"}},
        "endpoints": [{"port": "metrics", "path": "/metrics", "interval": "15s"}],
    }


def test_the_architectures_alerts_are_word_for_word() -> None:
    rules = {rule["alert"]: rule for group in alert_groups() for rule in group["rules"]}
    latency, errors = rules["AgentHighLatency"], rules["AgentHighErrorRate"]
    assert latency["expr"] == (
        "histogram_quantile(0.99, rate(agent_request_duration_seconds_bucket[5m])) > 10"
    )
    assert (latency["for"], latency["labels"]["severity"]) == ("5m", "warning")
    assert errors["expr"] == (
        "rate(agent_request_errors_total[5m]) / rate(agent_request_total[5m]) > 0.05"
    )
    assert (errors["for"], errors["labels"]["severity"]) == ("5m", "critical")
    assert prometheus_rule_manifest(namespace="o")["metadata"]["name"] == "agent-alerts"


def test_one_process_scrapes_the_same_targets_and_knows_the_same_alerts() -> None:
    files = configuration_files({"agent-metrics": [AGENT], "unheard-of": ["h:1"]})
    configuration = yaml.safe_load(files["prometheus.yml"])
    jobs = {job["job_name"]: job for job in configuration["scrape_configs"]}
    assert jobs.keys() == {"agent-metrics"}
    job = jobs["agent-metrics"]
    assert job["static_configs"] == [{"targets": [AGENT], "labels": {"namespace": "ai-agents"}}]
    assert job["scrape_interval"] == PLATFORM_TARGETS[0].interval
    assert yaml.safe_load(files["rules.yml"]) == {"groups": alert_groups()}


def test_another_configuration_makes_another_pod() -> None:
    def digest(address: str) -> str:
        recording = build(EmbeddedMetricsConfig(), static_targets={"agent-metrics": [address]})
        template = recording.of_type("Deployment")[0].inputs["spec"]["template"]
        return str(template["metadata"]["annotations"]["agentic.dev/configuration"])

    assert digest("a:9090") == digest("a:9090")
    assert digest("a:9090") != digest("b:9090")


def test_no_metrics_make_nothing() -> None:
    recording = build(NoMetricsConfig())
    assert [each.type for each in recording.resources] == ["agentic:observability:Metrics"]
    assert recording.values == {"url": None}


def test_the_chart_brings_monitors_alerts_and_dashboards() -> None:
    recording = build(ChartMetricsConfig())
    assert {each.name for each in recording.of_type("helm.sh/v3:Release")} == {
        "kube-prometheus-stack",
        "opencost",
    }
    monitors = {each.inputs["metadata"]["name"] for each in recording.of_type("ServiceMonitor")}
    assert monitors == {"agent-metrics", "envoy-metrics", "model-metrics", "tool-metrics"}
    assert len(recording.of_type("PrometheusRule")) == 1
    assert len(recording.of_type("ConfigMap")) == 4
    assert recording.values == {"url": "http://prometheus.observability.svc.cluster.local:9090"}


def test_monitors_of_other_releases_are_seen() -> None:
    spec = stack_chart_values(ChartMetricsConfig())["prometheus"]["prometheusSpec"]
    assert spec["serviceMonitorSelectorNilUsesHelmValues"] is False
    assert spec["ruleSelectorNilUsesHelmValues"] is False


def test_the_node_exporter_has_a_namespace_that_admits_it() -> None:
    recording = build(ChartMetricsConfig())
    namespace = recording.of_type("core/v1:Namespace")[0].inputs["metadata"]
    values = stack_chart_values(ChartMetricsConfig())
    assert values["prometheus-node-exporter"]["namespaceOverride"] == namespace["name"]
    assert namespace["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
