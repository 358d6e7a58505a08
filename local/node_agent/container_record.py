"""What the API server is told about one container."""

from dataclasses import dataclass, field
from typing import Any

from local.node_agent.backoff import restarts
from local.node_agent.objects import Manifest, timestamp

FIRST_REASON = "ContainerCreating"
State = dict[str, Any]
"""A `ContainerState`: one of the keys waiting, running, terminated."""


@dataclass
class ContainerRecord:
    """One container's state as it changes; `as_status` is its `ContainerStatus`."""

    name: str
    image: str
    state: State = field(default_factory=lambda: {"waiting": {"reason": FIRST_REASON}})
    last_state: State = field(default_factory=dict)
    restart_count: int = 0
    ready: bool = False
    started: bool = False
    container_id: str = ""

    @classmethod
    def resumed(
        cls,
        container: Manifest,
        previous: Manifest | None,
        policy: str,
        reason: str = FIRST_REASON,
    ) -> "ContainerRecord":
        """The record of a container that an earlier run of the agent may have known.

        Whatever ran then is dead now: it stays ended or counts as a restart, as `policy` says.
        """
        record = cls(container["name"], container.get("image", ""))
        record.waiting(reason)
        if not previous:
            return record
        record.restart_count = int(previous.get("restartCount") or 0)
        state: State = previous.get("state") or {}
        if running := state.get("running"):
            state = {"terminated": _lost(running, previous.get("containerID", ""))}
        record.last_state = previous.get("lastState") or {}
        if ended := state.get("terminated"):
            if restarts(policy, int(ended["exitCode"])):
                record.last_state = {"terminated": ended}
                record.restart_count += 1
            else:
                record.state = {"terminated": ended}
        return record

    def waiting(self, reason: str, message: str = "") -> None:
        self.ready = self.started = False
        self.state = {"waiting": {"reason": reason} | ({"message": message} if message else {})}

    def running(self, container_id: str) -> None:
        if "terminated" in self.state:
            self.last_state = self.state
        self.container_id = container_id
        self.ready = self.started = False
        self.state = {"running": {"startedAt": timestamp()}}

    def terminated(self, exit_code: int, *, reason: str = "", message: str = "") -> None:
        started = self.state.get("running", {}).get("startedAt") or timestamp()
        self.ready = self.started = False
        ended = {
            "exitCode": exit_code,
            "reason": reason or ("Completed" if exit_code == 0 else "Error"),
            "startedAt": started,
            "finishedAt": timestamp(),
        }
        ended |= {"message": message} if message else {}
        ended |= {"containerID": self.container_id} if self.container_id else {}
        self.state = {"terminated": ended}

    def backing_off(self, seconds: float, where: str) -> None:
        """Ended and to be started again after `seconds`."""
        if "terminated" in self.state:
            self.last_state = self.state
        message = f"back-off {seconds:g}s restarting failed container={self.name} pod={where}"
        self.waiting("CrashLoopBackOff", message)

    @property
    def exit_code(self) -> int | None:
        """Of the last run, while nothing runs now."""
        ended = self.state.get("terminated") or (
            self.last_state.get("terminated") if "waiting" in self.state else None
        )
        return int(ended["exitCode"]) if ended else None

    def as_status(self) -> Manifest:
        made: Manifest = {"containerID": self.container_id} if self.container_id else {}
        return made | {
            "name": self.name,
            "image": self.image,
            "imageID": self.image,
            "state": self.state,
            "lastState": self.last_state,
            "restartCount": self.restart_count,
            "ready": self.ready,
            "started": self.started,
        }


def _lost(running: State, container_id: str) -> State:
    ended = {
        "exitCode": 137,
        "reason": "NodeAgentStopped",
        "message": "the node agent ended, and its containers with it",
        "finishedAt": timestamp(),
    }
    if "startedAt" in running:
        ended["startedAt"] = running["startedAt"]
    return ended | ({"containerID": container_id} if container_id else {})
