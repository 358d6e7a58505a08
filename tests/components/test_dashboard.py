"""The dashboards load, and ask only for metrics that something exports."""

import json
import re
from typing import Any

import pytest

from components.dashboard import DASHBOARDS, dashboard, dashboard_manifest

pytestmark = pytest.mark.unit

AGENT = {
    "agent_request_duration_seconds_bucket",
    "agent_request_total",
    "agent_request_errors_total",
    "agent_active_sessions",
    "agent_llm_tokens_total",
    "agent_llm_cost_usd_total",
    "agent_tool_duration_seconds_bucket",
    "agent_tool_duration_seconds_count",
    "agent_retries_total",
    "agent_fallback_total",
}
VLLM = {
    "vllm:prompt_tokens_total",
    "vllm:generation_tokens_total",
    "vllm:request_success_total",
    "vllm:time_to_first_token_seconds_bucket",
    "vllm:inter_token_latency_seconds_bucket",
    "vllm:e2e_request_latency_seconds_bucket",
    "vllm:request_queue_time_seconds_sum",
    "vllm:request_queue_time_seconds_count",
    "vllm:request_prefill_time_seconds_sum",
    "vllm:request_prefill_time_seconds_count",
    "vllm:request_decode_time_seconds_sum",
    "vllm:request_decode_time_seconds_count",
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:prefix_cache_hits_total",
    "vllm:prefix_cache_queries_total",
    "vllm:num_preemptions_total",
}
CLUSTER = {
    "container_cpu_usage_seconds_total",
    "container_memory_working_set_bytes",
    "kube_namespace_created",
    "kube_node_status_allocatable",
    "kube_node_status_capacity",
    "kube_pod_container_resource_requests",
    "kube_pod_container_status_restarts_total",
    "kube_resourcequota",
}
DCGM = {
    "DCGM_FI_DEV_GPU_UTIL",
    "DCGM_FI_DEV_FB_USED",
    "DCGM_FI_DEV_FB_FREE",
    "DCGM_FI_DEV_POWER_USAGE",
    "DCGM_FI_DEV_GPU_TEMP",
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
}
OPENCOST = {
    "container_cpu_allocation",
    "container_gpu_allocation",
    "node_cpu_hourly_cost",
    "node_gpu_hourly_cost",
    "node_total_hourly_cost",
}
KNOWN = AGENT | VLLM | CLUSTER | DCGM | OPENCOST
"""What the runtime, vLLM 0.32, the kubelet and kube-state-metrics, DCGM exporter and OpenCost
export. The runtime's own are compared with its code in tests/contract."""

WORDS = {"sum", "rate", "increase", "avg", "max", "histogram_quantile", "label_values"}
GROUPING = re.compile(r"\b(by|on|group_left)\s*\([^)]*\)")


def metric_names(query: str) -> set[str]:
    """Names of series in a PromQL expression or in Grafana's `label_values(metric, label)`."""
    listed = re.fullmatch(r"label_values\(([^,]+),.*\)", query)
    if listed:
        return {listed.group(1)}
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]", "", GROUPING.sub("", query))
    return {word for word in re.findall(r"[A-Za-z_:][A-Za-z0-9_:]*", bare) if word not in WORDS}


def queries(board: dict[str, Any]) -> list[str]:
    variables = [each["query"] for each in board["templating"]["list"] if each["type"] == "query"]
    return [
        *(each["query"] for each in variables),
        *(target["expr"] for panel in board["panels"] for target in panel["targets"]),
    ]


def test_the_four_dashboards_of_the_architecture_exist() -> None:
    assert [dashboard(name)["title"] for name in DASHBOARDS] == [
        "Agent Overview",
        "LLM Performance",
        "Resource Usage",
        "Cost Tracking",
    ]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_each_queried_metric_is_exported_by_something(name: str) -> None:
    asked = {metric for query in queries(dashboard(name)) for metric in metric_names(query)}
    assert asked
    assert asked <= KNOWN, sorted(asked - KNOWN)


def test_a_made_up_metric_would_be_found() -> None:
    query = 'sum by (le) (rate(vllm:gpu_cache_usage_perc{model_name="a"}[5m]))'
    assert metric_names(query) - KNOWN == {"vllm:gpu_cache_usage_perc"}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_have_their_own_id_and_do_not_overlap(name: str) -> None:
    panels = dashboard(name)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for at in [panel["gridPos"]]
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_the_sidecar_finds_them_by_label() -> None:
    manifest = dashboard_manifest("agent-overview", namespace="observability")
    assert manifest["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(manifest["data"]["agent-overview.json"]) == dashboard("agent-overview")
