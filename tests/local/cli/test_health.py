"""The health table says what the API server says, and nothing better."""

from typing import Any

import pytest

from local.cli import health
from local.report import UserError

pytestmark = pytest.mark.unit


def deployment(**status: Any) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "ai-agents", "generation": 2},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}},
        "status": {"observedGeneration": 2, "readyReplicas": 2, "updatedReplicas": 2} | status,
    }


def pod(**status: Any) -> dict[str, Any]:
    return {
        "metadata": {"uid": "u1", "namespace": "ai-agents", "labels": {"app": "web", "x": "y"}},
        "status": status,
    }


def test_all_replicas_of_the_newest_generation_are_ready() -> None:
    assert health.workload_row(deployment(), [], {}).ready


@pytest.mark.parametrize(
    "status", [{"readyReplicas": 1}, {"observedGeneration": 1}, {"updatedReplicas": 1}]
)
def test_a_rollout_under_way_is_not_ready(status: dict[str, int]) -> None:
    assert not health.workload_row(deployment(**status), [], {}).ready


def test_a_job_is_ready_when_it_has_completed() -> None:
    job = {
        "kind": "Job",
        "metadata": {"name": "ingest", "namespace": "ai-agents"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
        "status": {},
    }
    assert not health.workload_row(job, [], {}).ready
    assert health.workload_row(job | {"status": {"succeeded": 1}}, [], {}).ready


def test_restarts_and_memory_of_a_workloads_own_pods_are_summed() -> None:
    mine = pod(containerStatuses=[{"restartCount": 3}, {"restartCount": 1}])
    stranger = pod(containerStatuses=[{"restartCount": 9}])
    stranger["metadata"]["labels"] = {"app": "other"}
    row = health.workload_row(deployment(), [mine, stranger], {"u1": 40.0})
    assert (row.restarts, row.memory_mib) == (4, 40.0)


def test_the_reason_is_the_one_that_the_pod_gives() -> None:
    waiting = {"state": {"waiting": {"reason": "ImageNotRunnable", "message": "nginx"}}}
    assert health.reason([pod(containerStatuses=[waiting])]) == "ImageNotRunnable: nginx"
    unscheduled = {"type": "PodScheduled", "status": "False", "message": "no memory"}
    assert "no memory" in health.reason([pod(conditions=[unscheduled])])
    assert health.reason([]) == "no Pod yet"


def test_waiting_too_long_names_each_part_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "READY_SECONDS", 0.0)
    rows = [
        health.Row("ai-data", "milvus", ready=False, detail="0/1 CrashLoopBackOff"),
        health.Row("ai-data", "redis-master", ready=True, detail="1/1"),
    ]
    with pytest.raises(UserError) as caught:
        health.await_ready(lambda: rows, lambda _: None)
    (line,) = caught.value.lines
    assert "milvus" in line
    assert "CrashLoopBackOff" in line
    assert "make logs" in line
