"""The platform's alerts."""

from typing import Any

from components.base import metadata

Rule = dict[str, Any]


def _rule(alert: str, expression: str, *, wait: str, severity: str, summary: str) -> Rule:
    return {
        "alert": alert,
        "expr": expression,
        "for": wait,
        "labels": {"severity": severity},
        "annotations": {"summary": summary},
    }


AGENT_RULES: tuple[Rule, ...] = (
    _rule(
        "AgentHighLatency",
        "histogram_quantile(0.99, rate(agent_request_duration_seconds_bucket[5m])) > 10",
        wait="5m",
        severity="warning",
        summary="1 % of the requests of {{ $labels.agent }} take over {{ $value }} s",
    ),
    _rule(
        "AgentHighErrorRate",
        "rate(agent_request_errors_total[5m]) / rate(agent_request_total[5m]) > 0.05",
        wait="5m",
        severity="critical",
        summary="{{ $value | humanizePercentage }} of the requests of {{ $labels.agent }} fail",
    ),
    _rule(
        "AgentDown",
        'up{namespace="ai-agents"} == 0',
        wait="2m",
        severity="critical",
        summary="{{ $labels.instance }} of ai-agents can't be scraped",
    ),
    _rule(
        "AgentSpansDropped",
        "rate(agent_spans_dropped_total[5m]) > 0",
        wait="10m",
        severity="warning",
        summary="traces of {{ $labels.agent }} are lost: the trace store does not take them",
    ),
    _rule(
        "AgentModelFallback",
        "rate(agent_fallback_total[5m]) > 0",
        wait="10m",
        severity="warning",
        summary="{{ $labels.agent }} keeps falling back from {{ $labels.model }}",
    ),
)

MODEL_RULES: tuple[Rule, ...] = (
    _rule(
        "ModelServerDown",
        'up{namespace="ai-inference"} == 0',
        wait="2m",
        severity="critical",
        summary="{{ $labels.instance }} of ai-inference can't be scraped",
    ),
    _rule(
        "ModelQueueGrows",
        "avg_over_time(vllm:num_requests_waiting[5m]) > 10",
        wait="5m",
        severity="warning",
        summary="{{ $value }} requests wait for {{ $labels.model_name }}",
    ),
    _rule(
        "ModelCacheFull",
        "vllm:kv_cache_usage_perc > 0.95",
        wait="10m",
        severity="warning",
        summary="the KV cache of {{ $labels.model_name }} is full: requests are preempted",
    ),
)


def alert_groups() -> list[dict[str, Any]]:
    """Rule groups as Prometheus reads them."""
    return [
        {"name": "agents", "rules": [*AGENT_RULES]},
        {"name": "models", "rules": [*MODEL_RULES]},
    ]


def prometheus_rule_manifest(*, namespace: Any) -> dict[str, Any]:
    """The PrometheusRule `agent-alerts`."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata("agent-alerts", component="observability", namespace=namespace),
        "spec": {"groups": alert_groups()},
    }
