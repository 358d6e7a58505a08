"""One container of a Pod: started, probed, restarted with back-off, stopped."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Coroutine
from typing import Any, Protocol

from local.node_agent.backoff import Backoff, restarts
from local.node_agent.container_record import ContainerRecord
from local.node_agent.hooks import run_hook
from local.node_agent.launch import ContainerRefused, Launch
from local.node_agent.log_file import LogFile
from local.node_agent.objects import Manifest
from local.node_agent.probe_actions import ProbeTarget
from local.node_agent.probing import probe
from local.node_agent.pulse import Pulse
from local.node_agent.sandbox import HOME
from local.node_agent.sandbox_process import SandboxProcess

LEAST_GRACE_SECONDS = 2.0
"""What SIGTERM still gets when the preStop hook took all of the grace period (as the kubelet)."""
MESSAGE_BYTES = 2048


class Surroundings(Protocol):
    """What a container needs of its Pod."""

    inputs: Pulse
    """Beats when a ConfigMap, Secret or the Pod itself has changed."""
    where: str
    """`name_namespace(uid)`, as the kubelet's messages name a Pod."""

    @property
    def pod_ip(self) -> str: ...

    @property
    def grace_seconds(self) -> float: ...

    def launch(self, container: Manifest) -> Launch:
        """Raises ContainerRefused."""
        ...

    def changed(self) -> None:
        """The container's record is not what it was."""

    def event(self, kind: str, reason: str, message: str) -> None: ...


class Container:
    """`run` returns when the container has ended for good."""

    def __init__(
        self,
        spec: Manifest,
        record: ContainerRecord,
        pod: Surroundings,
        *,
        policy: str,
        log: LogFile,
        backoff: Backoff,
    ) -> None:
        self.spec = spec
        self.record = record
        self.log = log
        self.started = asyncio.Event()
        """Running, and its startup probe has passed."""
        self.process: SandboxProcess | None = None
        self._pod = pod
        self._policy = policy
        self._backoff = backoff
        self._stopping = asyncio.Event()
        self._launch: Launch | None = None

    async def run(self) -> None:
        if "terminated" in self.record.state:
            return
        while not self._stopping.is_set():
            began = time.monotonic()
            code = await self._attempt()
            self._pod.changed()
            if code is None or self._stopping.is_set() or not restarts(self._policy, code):
                return
            delay = self._backoff.after(time.monotonic() - began)
            if delay:
                self.record.backing_off(delay, self._pod.where)
                message = f"Back-off restarting failed container {self.spec['name']}"
                self._pod.event("Warning", "BackOff", message)
                self._pod.changed()
                await self._unless_stopped(asyncio.sleep(delay))
            if not self._stopping.is_set():
                self.record.restart_count += 1

    async def stop(self, grace_seconds: float) -> None:
        """End it: preStop hook, SIGTERM, SIGKILL; `run` then returns."""
        self._stopping.set()
        process, launch = self.process, self._launch
        if process is None or launch is None or not process.running:
            return
        began = time.monotonic()
        if hook := (self.spec.get("lifecycle") or {}).get("preStop"):
            failure = await run_hook(hook, self._target(launch), grace_seconds)
            if failure:
                self._pod.event("Warning", "FailedPreStopHook", failure)
            left = grace_seconds - (time.monotonic() - began)
            grace_seconds = max(left, min(LEAST_GRACE_SECONDS, grace_seconds))
        await process.stop(grace_seconds)

    def kill(self) -> None:
        """SIGKILL at once."""
        self._stopping.set()
        if self.process:
            self.process.kill()

    async def _attempt(self) -> int | None:
        """Start it once and wait for its end; None when it was stopped before it could start."""
        launch = await self._ready_to_launch()
        if launch is None:
            return None
        self._launch = launch
        _clear(launch)
        self.log.open()
        try:
            self.process = SandboxProcess(launch.sandbox, launch.command, self.log.write)
        except OSError as error:
            self.log.close()
            self.record.terminated(128, reason="StartError", message=str(error))
            return 128
        self.record.running(f"process://{self.process.pid}-{time.time_ns()}")
        name = self.spec["name"]
        self._pod.event("Normal", "Started", f"Started container {name}")
        self._pod.changed()
        probes = asyncio.create_task(probe(self.spec, self._target(launch), self))
        try:
            code = await asyncio.shield(self.process.exit_code)
        finally:
            probes.cancel()
            await asyncio.gather(probes, return_exceptions=True)
            self.started.clear()
            self.log.close()
        self.record.terminated(code, message=self._last_words(code))
        return code

    async def _ready_to_launch(self) -> Launch | None:
        """Wait until nothing speaks against the start."""
        while not self._stopping.is_set():
            try:
                return self._pod.launch(self.spec)
            except ContainerRefused as error:
                kept = self.record.state.get("waiting", {})
                self.record.waiting(error.reason, str(error))
                if kept != self.record.state["waiting"]:
                    self._pod.event("Warning", "Failed", f"Error: {error}")
                    self._pod.changed()
            await self._unless_stopped(self._pod.inputs.wait())
        return None

    async def _unless_stopped(self, waiting: Coroutine[Any, Any, object]) -> None:
        tasks = {asyncio.ensure_future(waiting), asyncio.ensure_future(self._stopping.wait())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    def _target(self, launch: Launch) -> ProbeTarget:
        return ProbeTarget(self.spec, self._pod.pod_ip, _Executor(launch))

    def _last_words(self, code: int) -> str:
        if code == 0 or self.spec.get("terminationMessagePolicy") != "FallbackToLogsOnError":
            return ""
        with contextlib.suppress(OSError):
            return self.log.path.read_bytes()[-MESSAGE_BYTES:].decode(errors="replace")
        return ""

    def probe_started(self) -> None:
        self.record.started = True
        self.started.set()
        self._pod.changed()

    def probe_ready(self, *, ready: bool) -> None:
        self.record.ready = ready
        self._pod.changed()

    def probe_failing(self, kind: str, reason: str) -> None:
        self._pod.event("Warning", "Unhealthy", f"{kind} probe failed: {reason}")

    async def probe_kill(self, kind: str, grace_seconds: float | None) -> None:
        name = self.spec["name"]
        message = f"Container {name} failed {kind.lower()} probe, will be restarted"
        self._pod.event("Normal", "Killing", message)
        if self.process:
            grace = self._pod.grace_seconds if grace_seconds is None else grace_seconds
            await self.process.stop(grace)


def _clear(launch: Launch) -> None:
    """A restarted container finds an empty /tmp, as if made from its image anew."""
    for mount in launch.sandbox.mounts:
        if mount.target == HOME:
            shutil.rmtree(mount.source, ignore_errors=True)
            mount.source.mkdir(mode=0o700, parents=True, exist_ok=True)
            return


class _Executor:
    """Runs a command in a second sandbox that is made like the container's own."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch

    async def __call__(self, command: list[str]) -> int:
        process = SandboxProcess(self._launch.sandbox, command, _discard)
        try:
            return await asyncio.shield(process.exit_code)
        finally:
            process.kill()


def _discard(_output: bytes) -> None:
    return
