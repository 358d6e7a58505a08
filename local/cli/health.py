"""The health table: what should run, what does, how often it was restarted, what it takes."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import psutil
from rich.table import Table

from local.cli.failed_jobs import failure
from local.cli.platform import Running
from local.kube import KubeClient
from local.paths import State
from local.report import UserError

READY_SECONDS = 240.0
LISTENING_SECONDS = 10.0
POLL_SECONDS = 0.2
PART_OF = "app.kubernetes.io/part-of=agentic-platform"
KINDS = (("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("batch/v1", "Job"))
MIB = 1024 * 1024


@dataclass(frozen=True)
class Row:
    """One line of the table; memory is resident, in MiB."""

    layer: str
    name: str
    ready: bool
    detail: str
    restarts: int = 0
    memory_mib: float = 0.0


def _layer(item: dict[str, Any]) -> str:
    return str(item["metadata"]["namespace"])


def workload_row(item: dict[str, Any], pods: list[dict[str, Any]], memory: dict[str, float]) -> Row:
    """The row of one Deployment, StatefulSet or Job, from the API server's own objects."""
    name = item["metadata"]["name"]
    status = item.get("status", {})
    mine = [pod for pod in pods if _owned_by(pod, item)]
    restarts = sum(
        container.get("restartCount", 0)
        for pod in mine
        for container in pod.get("status", {}).get("containerStatuses", [])
    )
    used = sum(memory.get(pod["metadata"]["uid"], 0.0) for pod in mine)
    if item["kind"] == "Job":
        ready = status.get("succeeded", 0) >= item["spec"].get("completions", 1)
        gave_up = failure(item)
        detail = "completed" if ready else f"failed: {gave_up}" if gave_up else reason(mine)
        return Row(_layer(item), name, ready, detail or "running", restarts, used)
    wanted = item["spec"].get("replicas", 1)
    current = status.get("observedGeneration", 0) >= item["metadata"].get("generation", 0)
    count = status.get("readyReplicas", 0) if current else 0
    fresh = status.get("updatedReplicas", 0) >= wanted
    ready = count >= wanted and current and fresh
    detail = f"{count}/{wanted}" + ("" if ready else f" {reason(mine)}")
    return Row(_layer(item), name, ready, detail, restarts, used)


def reason(pods: list[dict[str, Any]]) -> str:
    """Why Pods are not ready, in the API server's words."""
    for pod in pods:
        status = pod.get("status", {})
        for container in status.get("containerStatuses", []) + status.get(
            "initContainerStatuses", []
        ):
            waiting = container.get("state", {}).get("waiting")
            if waiting:
                return f"{waiting.get('reason')}: {waiting.get('message', '')}".strip(": ")
        for condition in status.get("conditions", []):
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                return f"unschedulable: {condition.get('message', '')}"
    return "" if pods else "no Pod yet"


def _owned_by(pod: dict[str, Any], item: dict[str, Any]) -> bool:
    if pod["metadata"]["namespace"] != item["metadata"]["namespace"]:
        return False
    selector = item["spec"].get("selector", {}).get("matchLabels", {})
    labels = pod["metadata"].get("labels", {})
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def workload_rows(client: KubeClient, memory: dict[str, float]) -> list[Row]:
    """Rows of all workloads of the platform, in the order of namespace and name.

    `memory` is what `pod_memory` finds; looking at every process is too much for a waiting loop.
    """
    pods = client.list("v1", "Pod")
    rows = [
        workload_row({**item, "kind": kind}, pods, memory)
        for api_version, kind in KINDS
        for item in client.list(api_version, kind, label_selector=PART_OF)
    ]
    return sorted(rows, key=lambda row: (row.layer, row.name))


def node_report(state: State) -> dict[str, Any]:
    """What the node agent last wrote of its Pods, Services and problems."""
    try:
        report: dict[str, Any] = json.loads((state.run / "node-agent.json").read_text())
    except (OSError, ValueError):
        return {}
    return report


def problems_of(state: State, service: str) -> list[str]:
    """What the node agent reports of one Service, such as an address that is taken."""
    return [str(line) for line in node_report(state).get("problems", []) if service in str(line)]


def await_listening(state: State, service: str) -> list[str]:
    """Wait until the node serves `service` (`namespace/name`); the other problems it reports.

    Raises UserError with the node agent's own words when the address can't be served.
    """
    deadline = time.monotonic() + LISTENING_SECONDS
    while True:
        report = node_report(state)
        problems = [str(line) for line in report.get("problems", [])]
        ours = [entry for entry in report.get("services", []) if entry["service"] == service]
        if ours and all(entry["listening"] for entry in ours):
            return problems
        if time.monotonic() > deadline:
            about = problems_of(state, service)
            raise UserError(*(about or [f"Service {service} is not served; see `make status`"]))
        time.sleep(POLL_SECONDS)


def pod_memory(state: State) -> dict[str, float]:
    """Resident MiB by Pod uid, summed over the processes that the node agent started for it."""
    pods = node_report(state).get("pods", [])
    return {pod["uid"]: _resident_mib(pod.get("pids", [])) for pod in pods}


def _resident_mib(roots: list[int]) -> float:
    family: dict[int, psutil.Process] = {}
    for pid in roots:
        try:
            process = psutil.Process(pid)
            family |= {
                member.pid: member for member in [process, *process.children(recursive=True)]
            }
        except psutil.Error:
            continue
    total = 0.0
    for member in family.values():
        try:
            total += member.memory_info().rss / MIB
        except psutil.Error:
            continue
    return total


def control_plane_rows(running: Running) -> list[Row]:
    """Rows of the supervisor's own children."""
    rows = []
    for name, process in running.status["processes"].items():
        pid = int(process["pid"])
        try:
            used = psutil.Process(pid).memory_info().rss / MIB
        except psutil.Error:
            used = 0.0
        detail = f"pid {pid}" if process["alive"] else "down, being started again"
        rows.append(
            Row("control plane", name, bool(process["alive"]), detail, process["restarts"], used)
        )
    return rows


def await_ready(
    read: Callable[[], list[Row]],
    say: Callable[[str], None],
    blocked: Callable[[], list[str]] = list,
) -> list[Row]:
    """Wait until every workload is ready; raises UserError that names each one that is not.

    What `blocked` says for `LISTENING_SECONDS` without a break ends the wait: others wait for it.
    """
    deadline = time.monotonic() + READY_SECONDS
    free_at = time.monotonic()
    while True:
        if not (lines := blocked()):
            free_at = time.monotonic()
        elif time.monotonic() > free_at + LISTENING_SECONDS:
            raise UserError(*lines)
        rows = read()
        missing = [row for row in rows if not row.ready]
        if rows and not missing:
            return rows
        if time.monotonic() > deadline:
            raise UserError(
                *(
                    f"{row.layer}/{row.name} is not ready after {READY_SECONDS:.0f} s: "
                    f"{row.detail}; see `make logs NAME={row.name}`"
                    for row in missing
                )
            )
        ready = len(rows) - len(missing)
        say(f"{ready}/{len(rows)} ready; waiting for {', '.join(row.name for row in missing[:4])}")
        time.sleep(POLL_SECONDS)


def table(rows: list[Row]) -> Table:
    """The rows as people read them."""
    view = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("layer", "component", "ready", "restarts", "memory"):
        view.add_column(title, justify="right" if title in ("restarts", "memory") else "left")
    for row in rows:
        mark = f"[green]yes[/] {row.detail}" if row.ready else f"[red]no[/] {row.detail}"
        memory = f"{row.memory_mib:.0f} MiB" if row.memory_mib else "-"
        view.add_row(row.layer, row.name, mark, str(row.restarts), memory)
    total = sum(row.memory_mib for row in rows)
    view.add_row("", "[bold]total", "", "", f"[bold]{total:.0f} MiB")
    return view


def as_json(rows: list[Row]) -> list[dict[str, Any]]:
    """The rows as machines read them."""
    return [asdict(row) | {"memory_mib": round(row.memory_mib, 1)} for row in rows]
