"""Jobs that gave up: made anew, because neither Kubernetes nor Pulumi tries one again."""

import copy
from typing import Any

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


def renew(client: KubeClient, label_selector: str) -> list[str]:
    """Delete the failed ones of these Jobs and make them again; their names."""
    failed = [job for job in client.list(*JOB, label_selector=label_selector) if failure(job)]
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
