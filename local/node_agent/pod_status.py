"""A Pod's status from the records of its containers: phase, conditions, container statuses.

Rules: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from local.node_agent.container_record import ContainerRecord
from local.node_agent.objects import (
    Manifest,
    containers_of,
    init_containers_of,
    is_sidecar,
    timestamp,
)


@dataclass
class PodRecord:
    """What the agent knows of a Pod it runs."""

    pod: Manifest
    containers: list[ContainerRecord]
    init: list[ContainerRecord]
    pod_ip: str = ""
    host_ip: str = ""
    start_time: str = field(default_factory=timestamp)
    initialized: bool = False
    stopping: bool = False

    @classmethod
    def resumed(cls, pod: Manifest) -> "PodRecord":
        """A new record that carries on counts and times from the status that the Pod has."""
        status = pod.get("status") or {}
        known = {
            entry["name"]: entry
            for group in ("containerStatuses", "initContainerStatuses")
            for entry in status.get(group) or []
        }
        policy = pod["spec"].get("restartPolicy", "Always")
        init = init_containers_of(pod)
        reason = "PodInitializing" if init else "ContainerCreating"

        def resumed(container: Manifest, policy: str) -> ContainerRecord:
            return ContainerRecord.resumed(container, known.get(container["name"]), policy, reason)

        return cls(
            pod=pod,
            containers=[resumed(container, policy) for container in containers_of(pod)],
            # They all run again: what they had prepared may have died with the agent.
            init=[resumed(container, "Always") for container in init],
            pod_ip=status.get("podIP") or "",
            start_time=status.get("startTime") or timestamp(),
        )

    @property
    def sidecars(self) -> list[ContainerRecord]:
        flags = [is_sidecar(c) for c in init_containers_of(self.pod)]
        return [record for record, flag in zip(self.init, flags, strict=True) if flag]

    @property
    def ready(self) -> bool:
        """Whether Services may send to it."""
        running = [*self.containers, *self.sidecars]
        return not self.stopping and self.initialized and all(r.ready for r in running)


def phase(record: PodRecord) -> str:
    """`Pending`, `Running`, `Succeeded` or `Failed`."""
    policy = record.pod["spec"].get("restartPolicy", "Always")
    if not record.initialized:
        failed = any("terminated" in r.state and r.exit_code for r in record.init)
        return "Failed" if failed and policy == "Never" else "Pending"
    states = [r.state for r in record.containers]
    if any("running" in state for state in states):
        return "Running"
    # One that has ended before waits for a restart; one that never ran keeps the Pod pending.
    if any("waiting" in r.state and not r.last_state for r in record.containers):
        return "Pending"
    if any("waiting" in state for state in states) or policy == "Always":
        return "Running"
    if all(r.exit_code == 0 for r in record.containers):
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def status(record: PodRecord, previous: Manifest) -> Manifest:
    """The parts of the Pod's status that belong to the node agent.

    `previous` is the status last seen; a condition that stays keeps its transition time.
    """
    now_phase = phase(record)
    made: Manifest = {
        "phase": now_phase,
        "conditions": _conditions(record, now_phase, previous.get("conditions") or []),
        "hostIP": record.host_ip,
        "hostIPs": [{"ip": record.host_ip}],
        "startTime": record.start_time,
        "containerStatuses": [r.as_status() for r in record.containers],
    }
    if record.pod_ip:
        made |= {"podIP": record.pod_ip, "podIPs": [{"ip": record.pod_ip}]}
    if record.init:
        made["initContainerStatuses"] = [r.as_status() for r in record.init]
    return made


def _conditions(record: PodRecord, now_phase: str, previous: Sequence[Manifest]) -> list[Manifest]:
    running = [*record.containers, *record.sidecars]
    unready = sorted(r.name for r in running if not r.ready)
    one_shot = [r for r in record.init if r not in record.sidecars]
    waiting = sorted(r.name for r in one_shot if r.exit_code != 0)
    ready: tuple[bool, str, str] = (True, "", "")
    if now_phase in ("Succeeded", "Failed"):
        ready = (False, "PodCompleted" if now_phase == "Succeeded" else "PodFailed", "")
    elif not record.ready:
        ready = (False, "ContainersNotReady", f"containers with unready status: {unready}")
    initialized = (True, "", "")
    if not record.initialized:
        message = f"containers with incomplete status: {waiting}"
        initialized = (False, "ContainersNotInitialized", message)
    wanted = {
        "PodScheduled": (True, "", ""),
        "Initialized": initialized,
        "ContainersReady": ready,
        "Ready": ready,
    }
    before = {condition["type"]: condition for condition in previous}
    return [_condition(kind, *value, before.get(kind)) for kind, value in wanted.items()]


def _condition(
    kind: str,
    value: bool,  # noqa: FBT001 - the condition's own value
    reason: str,
    message: str,
    before: Manifest | None,
) -> Manifest:
    made: Manifest = {"type": kind, "status": str(value)}
    same = before is not None and before.get("status") == made["status"]
    since = before.get("lastTransitionTime") if before and same else None
    made["lastTransitionTime"] = since or timestamp()
    # An empty text, not a missing one: a strategic merge would keep the old words.
    return made | {"reason": reason or None, "message": message or None}
