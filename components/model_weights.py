"""A model's weights on a volume: the claim, and the Job that fills it once."""

from typing import Any

from components.base import metadata
from components.model_weights_config import MOUNT, WeightsVolumeConfig
from components.pod_security import restricted_container, restricted_pod
from components.versions import IMAGES
from inference.catalog import ModelSpec

DEADLINE_SECONDS = 4 * 3600
_SCRIPT = 'test -e "$0/.complete" || { hf download "$1" --local-dir "$0" && touch "$0/.complete"; }'
"""A second run finds the mark; a broken download goes on where it was cut."""


def claim_name(server: str) -> str:
    return f"{server}-weights"


def manifests(
    server: str,
    model: ModelSpec,
    volume: WeightsVolumeConfig,
    *,
    namespace: Any,
    model_secret: str | None,
) -> dict[str, dict[str, Any]]:
    """The PersistentVolumeClaim and the Job; a Job's template can't change, so its name says
    for which model it is."""

    def made(version: str, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        meta = metadata(name, component="model-serving", namespace=namespace)
        return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec}

    claim = {
        "accessModes": [volume.access_mode],
        "storageClassName": volume.storage_class,
        "resources": {"requests": {"storage": f"{volume.size_gib}Gi"}},
    }
    job_name = f"{server}-{model.name}"[:57].rstrip("-.").replace(".", "-") + "-fetch"
    return {
        "weights": made("v1", "PersistentVolumeClaim", claim_name(server), claim),
        "fetch": made("batch/v1", "Job", job_name, _job(server, model, model_secret)),
    }


def _job(server: str, model: ModelSpec, model_secret: str | None) -> dict[str, Any]:
    env: list[dict[str, Any]] = [{"name": "HOME", "value": "/tmp"}]  # noqa: S108 -- a volume of its own
    if model_secret:
        reference = {"name": model_secret, "key": "token"}
        env.append({"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": reference}})
    container = {
        "name": "fetch",
        "image": IMAGES["vllm"],
        "command": ["sh", "-ec", _SCRIPT, f"{MOUNT}/{model.name}", model.repository],
        "env": env,
        "resources": {
            "requests": {"cpu": "1", "memory": "2Gi"},
            "limits": {"cpu": "2", "memory": "4Gi"},
        },
        "securityContext": restricted_container(),
        "volumeMounts": [
            {"name": "weights", "mountPath": MOUNT},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 -- the same
        ],
    }
    pod = {
        "restartPolicy": "OnFailure",
        "priorityClassName": "agentic-batch",
        "automountServiceAccountToken": False,
        "securityContext": restricted_pod(),
        "containers": [container],
        "volumes": [
            {"name": "weights", "persistentVolumeClaim": {"claimName": claim_name(server)}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }
    return {
        "backoffLimit": 6,
        "activeDeadlineSeconds": DEADLINE_SECONDS,
        "template": {"metadata": {"labels": {"app": "model-fetch"}}, "spec": pod},
    }
