"""`<state>/run/node-agent.json`: what runs on this node, for `make status`."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from local.node_agent.objects import Manifest, key_of
from local.node_agent.pod import Pod
from local.node_agent.pod_status import phase
from local.node_agent.sandbox_process import descendants


def pod_entry(pod: Pod) -> Manifest:
    """One Pod with the host pids of all its processes."""
    namespace, name = key_of(pod.pod)
    return {
        "namespace": namespace,
        "name": name,
        "uid": pod.uid,
        "ip": pod.pod_ip,
        "phase": phase(pod.record),
        "ready": pod.record.ready,
        "pids": [pid for outer in pod.pids for pid in descendants(outer)],
    }


def write(
    path: Path,
    *,
    pods: Iterable[Pod],
    services: list[dict[str, object]],
    problems: list[str],
) -> None:
    """Replace the file in one step."""
    document = {
        "pid": os.getpid(),
        "pods": sorted(
            (pod_entry(pod) for pod in pods), key=lambda entry: (entry["namespace"], entry["name"])
        ),
        "services": services,
        "problems": problems,
    }
    draft = path.with_name(f".{path.name}")
    draft.write_text(json.dumps(document, indent=1))
    draft.replace(path)
