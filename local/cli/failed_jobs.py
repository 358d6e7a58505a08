"""Jobs that gave up, or wait for minutes after failures: made anew by a new `make up`.

Neither Kubernetes nor Pulumi tries a Job again that was given up, and nothing shortens its pauses.
"""

import copy
from typing import Any

from local.cli.crash_loops import backs_off
from local.kube import KubeClient

JOB = ("batch/v1", "Job")
FIELD_MANAGER = "pulumi.com/stand-in"
"""Annotation that names who applied the object; the next deployment must find it as its own."""
OF_ONE_JOB = (
    *("controller-uid", "batch.kubernetes.io/controller-uid"),
    *("job-name", "batch.kubernetes.io/job-name"),
)
SECONDS = 30.0


def failure(job: dict[str, Any]) -> str | None:
    """Why the Job was given up, in Kubernetes' words; None for one that goes on or is done."""
    for condition in job.get("status", {}).get("conditions", []):
        if condition["type"] == "Failed" and condition["status"] == "True":
            return f"{condition.get('reason', '')}: {condition.get('message', '')}".strip(": ")
    return None


def pauses(job: dict[str, Any], pods: list[dict[str, Any]]) -> bool:
    """Whether its next try is put off, by the Job's controller or by the node; `pods` are all."""
    status = job.get("status") or {}
    if status.get("completionTime"):
        return False
    uid = job["metadata"]["uid"]
    mine = [pod for pod in pods if _made_by(pod, uid)]
    between_pods = bool(status.get("failed")) and not status.get("active")
    return between_pods or any(backs_off(pod) for pod in mine)


def _made_by(pod: dict[str, Any], uid: str) -> bool:
    return any(owner["uid"] == uid for owner in pod["metadata"].get("ownerReferences") or [])


def renew(client: KubeClient, label_selector: str) -> list[str]:
    """Delete those of these Jobs that failed or pause and make them again; their names."""
    pods = client.list("v1", "Pod")
    jobs = client.list(*JOB, label_selector=label_selector)
    failed = [job for job in jobs if failure(job) or pauses(job, pods)]
    for job in failed:
        name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
        client.delete(*JOB, name, namespace)
        client.wait(
            *JOB, name, namespace, until=lambda found: found is None, timeout_seconds=SECONDS
        )
        manager = (job["metadata"].get("annotations") or {}).get(FIELD_MANAGER)
        client.apply(_anew(job), **({"field_manager": manager} if manager else {}))
    return [f"{job['metadata']['namespace']}/{job['metadata']['name']}" for job in failed]


def _anew(job: dict[str, Any]) -> dict[str, Any]:
    """The Job as it was asked for, without what the API server and its controller added."""
    kept = copy.deepcopy(
        {
            key: job["metadata"][key]
            for key in ("name", "namespace", "labels", "annotations")
            if key in job["metadata"]
        }
    )
    spec = copy.deepcopy(job["spec"])
    spec.pop("selector", None)
    labels = spec["template"].get("metadata", {}).get("labels", {})
    for key in OF_ONE_JOB:
        labels.pop(key, None)
        (kept.get("labels") or {}).pop(key, None)
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": kept, "spec": spec}
