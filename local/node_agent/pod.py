"""One Pod on this node, from its first sight to its deletion."""

import asyncio
import contextlib
import logging
import shutil
import time

from local.api_transport import ApiError
from local.node_agent import hosts
from local.node_agent.container import Container
from local.node_agent.launch import Launch, PodFolders, hostname, launch
from local.node_agent.log_file import LogFile, log_path
from local.node_agent.node_context import NodeContext
from local.node_agent.objects import (
    Manifest,
    containers_of,
    init_containers_of,
    is_sidecar,
    key_of,
    uid_of,
)
from local.node_agent.pod_status import PodRecord, phase
from local.node_agent.pod_volumes import PodVolumes
from local.node_agent.pulse import Pulse
from local.node_agent.sources import SourceMissing, Sources
from local.node_agent.status_writer import StatusWriter

LOG = logging.getLogger(__name__)
DEFAULT_GRACE_SECONDS = 30.0
REFRESH_SECONDS = 60.0
VOLUME_RETRY_SECONDS = 2.0


class Pod:
    """Runs a Pod's containers; `record` is what is told about it."""

    def __init__(self, pod: Manifest, context: NodeContext) -> None:
        self.pod = pod
        self.record = PodRecord.resumed(pod)
        self.record.host_ip = context.facts.ip
        self.inputs = Pulse()
        self.where = f"{pod['metadata']['name']}_{pod['metadata']['namespace']}({uid_of(pod)})"
        self._context = context
        self._folders = PodFolders(context.pods_root / uid_of(pod))
        self._volumes = PodVolumes(context, self._folders)
        self._writer = StatusWriter(context.api, self)
        self._containers = [self._container(i) for i in range(len(containers_of(pod)))]
        self._init = [self._container(i, init=True) for i in range(len(init_containers_of(pod)))]
        self._ending: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._main: asyncio.Task[None] | None = None

    @property
    def uid(self) -> str:
        return uid_of(self.pod)

    @property
    def pod_ip(self) -> str:
        return self.record.pod_ip

    @property
    def grace_seconds(self) -> float:
        spec = self.pod["spec"]
        return float(spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS))

    @property
    def finished(self) -> bool:
        return phase(self.record) in ("Succeeded", "Failed")

    @property
    def alive(self) -> bool:
        """Whether it was started here and is not being deleted."""
        return bool(self._tasks) and self._ending is None

    @property
    def waits(self) -> bool:
        """Whether a container, or the Pod as a whole, waits to be started."""
        return any("waiting" in r.state for r in [*self.record.containers, *self.record.init])

    @property
    def pids(self) -> list[int]:
        """The outermost process of each running container."""
        running = (c.process for c in [*self._init, *self._containers])
        return [process.pid for process in running if process and process.running]

    def logs(self, container: str) -> LogFile | None:
        every = [*self._init, *self._containers]
        return next((c.log for c in every if c.spec["name"] == container), None)

    def start(self) -> None:
        """Begin; a Pod that is over, or being deleted, is not run again."""
        if (self.pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return
        if self.pod["metadata"].get("deletionTimestamp"):
            return
        self._tasks = [
            asyncio.create_task(self._writer.run()),
            asyncio.create_task(self._keep_fresh()),
        ]
        self._main = asyncio.create_task(self._run())
        self.changed()

    def update(self, pod: Manifest) -> None:
        """The Pod as the API server has it now; deletion begins when it asks for it."""
        spec_or_labels_changed = _inputs(self.pod) != _inputs(pod)
        self.pod = self.record.pod = pod
        for container, spec in zip(self._containers, containers_of(pod), strict=True):
            container.spec = spec
        if pod["metadata"].get("deletionTimestamp"):
            self.delete()
        elif spec_or_labels_changed:
            self.inputs.beat()

    def delete(self) -> None:
        """Stop the containers, then let the API server forget the Pod."""
        if self._ending is None:
            grace = self.pod["metadata"].get("deletionGracePeriodSeconds", self.grace_seconds)
            self._ending = asyncio.create_task(self._delete(float(grace)))

    async def shut_down(self, grace_seconds: float) -> None:
        """The agent ends: stop the containers but keep the Pod, which starts again with it."""
        if self._tasks:
            await self._stop(min(grace_seconds, self.grace_seconds))
            await self._writer.flush()
            await self._end_tasks()

    async def forget(self) -> None:
        """The Pod is gone from the API server: kill what still runs."""
        for container in [*self._init, *self._containers]:
            container.kill()
        if self._ending is None:
            self._ending = asyncio.create_task(self._delete(0))
        await asyncio.gather(self._ending, return_exceptions=True)

    def changed(self) -> None:
        self._writer.changed()
        self._context.pod_changed(self)

    def event(self, kind: str, reason: str, message: str) -> None:
        self._context.events.record(self.pod, kind, reason, message)

    def launch(self, container: Manifest) -> Launch:
        """Raises ContainerRefused."""
        machine, folders = self._context.machine, self._folders
        return launch(container, self._sources(), machine, folders, self._volumes.path)

    def write_hosts(self) -> None:
        """Bring the Pod's hosts file up to date."""
        own = hosts.OwnEntries(
            namespace=self.pod["metadata"]["namespace"],
            address=self.pod_ip,
            hostname=hostname(self.pod),
            aliases=self.pod["spec"].get("hostAliases") or [],
        )
        text = hosts.render(self._context.host_names(), own)
        hosts.write(self._folders.own, "hosts", text)

    def _sources(self) -> Sources:
        context = self._context
        return Sources(self.pod, self.pod_ip, context.facts, context.config_map, context.secret)

    def _container(self, index: int, *, init: bool = False) -> Container:
        spec = (init_containers_of if init else containers_of)(self.pod)[index]
        record = (self.record.init if init else self.record.containers)[index]
        policy = self.pod["spec"].get("restartPolicy", "Always")
        if init:
            # An init container that fails is tried again unless the Pod is never restarted.
            policy = "Always" if is_sidecar(spec) else _init_policy(policy)
        return Container(
            spec,
            record,
            self,
            policy=policy,
            log=LogFile(log_path(self._context.logs_root, self.pod, spec["name"])),
            backoff=self._context.backoff(),
        )

    async def _run(self) -> None:
        try:
            await self._run_containers()
        except Exception:
            LOG.exception("Pod %s", self.where)
            self.event("Warning", "FailedSync", "the node agent failed on this Pod; see its log")

    async def _run_containers(self) -> None:
        if all("terminated" in record.state for record in self.record.containers):
            self.record.initialized = True
            self.changed()
            return
        await self._prepare()
        background: list[asyncio.Task[None]] = []
        for container in self._init:
            task = asyncio.create_task(container.run())
            if is_sidecar(container.spec):
                background.append(task)
                await container.started.wait()
                continue
            await task
            if container.record.exit_code != 0:
                self.changed()
                return
        self.record.initialized = True
        for record in self.record.containers:
            if "waiting" in record.state:
                record.waiting("ContainerCreating")
        self.changed()
        await asyncio.gather(*(container.run() for container in self._containers))
        for container in reversed(self._init):
            await container.stop(self.grace_seconds)
        await asyncio.gather(*background)
        self.changed()

    async def _prepare(self) -> None:
        network = self.pod["spec"].get("hostNetwork")
        context = self._context
        if network:
            self.record.pod_ip = context.facts.ip
        else:
            self.record.pod_ip = context.addresses.claim(self.uid, self.record.pod_ip)
        self.write_hosts()
        hosts.write(self._folders.own, "hostname", hostname(self.pod) + "\n")
        hosts.write(self._folders.own, "nsswitch.conf", hosts.NSSWITCH)
        self.changed()
        while True:
            try:
                await self._volumes.prepare(self._sources())
            except (SourceMissing, ApiError, OSError) as error:
                self.event("Warning", "FailedMount", str(error))
                await self.inputs.wait(VOLUME_RETRY_SECONDS)
            else:
                return

    async def _keep_fresh(self) -> None:
        """Rewrite volumes when their sources change, and tokens before they expire."""
        while True:
            await self.inputs.wait(REFRESH_SECONDS)
            if not self.record.initialized or self.finished or self._ending:
                continue
            try:
                await self._volumes.refresh(self._sources())
            except (SourceMissing, ApiError, OSError) as error:
                self.event("Warning", "FailedMount", str(error))

    async def _stop(self, grace_seconds: float) -> None:
        """All containers in parallel, then the sidecars, last one first."""
        self.record.stopping = True
        self.changed()
        began = time.monotonic()
        if self._main and not self.record.initialized:
            for container in self._containers:
                container.kill()
            await asyncio.gather(*(c.stop(grace_seconds) for c in self._init))
            self._main.cancel()
        await asyncio.gather(*(c.stop(grace_seconds) for c in self._containers))
        for container in reversed(self._init):
            await container.stop(max(grace_seconds - (time.monotonic() - began), 0))
        if self._main:
            await asyncio.gather(self._main, return_exceptions=True)

    async def _delete(self, grace_seconds: float) -> None:
        if self.pids:
            self.event("Normal", "Killing", "Stopping the Pod's containers")
        if self._tasks:
            await self._stop(grace_seconds)
            await self._writer.flush()
            await self._end_tasks()
        await asyncio.to_thread(shutil.rmtree, self._folders.root, ignore_errors=True)
        self._context.addresses.release(self.uid)
        namespace, name = key_of(self.pod)
        delay = 0.2
        while True:
            try:
                await self._context.api.delete("Pod", namespace, name, uid=self.uid, grace=0)
            except ApiError as error:
                LOG.debug("delete %s: %s", self.where, error)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)
            else:
                return

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)


def _init_policy(policy: str) -> str:
    return "Never" if policy == "Never" else "OnFailure"


def _inputs(pod: Manifest) -> tuple[object, ...]:
    metadata = pod["metadata"]
    return metadata.get("labels"), metadata.get("annotations"), pod["spec"]
