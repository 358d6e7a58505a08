"""The node agent: API server objects in, processes and relays out."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local.api_transport import ApiError
from local.kubeconfig import Kubeconfig
from local.node_agent import claims, node, report_file
from local.node_agent.addresses import Addresses
from local.node_agent.api import Api
from local.node_agent.events import Events
from local.node_agent.informer import Informer
from local.node_agent.kubelet_api import KubeletApi, server_context
from local.node_agent.launch import Machine
from local.node_agent.node_context import NodeContext
from local.node_agent.objects import Manifest
from local.node_agent.pod_set import PodSet
from local.node_agent.sandbox import api_server_variables
from local.node_agent.services import Services
from local.node_agent.sources import NodeFacts
from local.paths import State
from local.report import UserError

LOG = logging.getLogger(__name__)
API_WAIT_SECONDS = 60.0
API_RETRY_SECONDS = 0.3
STOP_SECONDS = 10.0
GRACE_ON_STOP_SECONDS = 7.0
REPORT_SECONDS = 5.0
SETTLE_SECONDS = 0.02
KUBELET_CLIENT = "kube-apiserver-kubelet-client"


@dataclass(frozen=True)
class Settings:
    """One node and where it keeps its things."""

    name: str
    node_ip: str
    pod_cidr: str
    state: State
    kubeconfig: Path
    backoff_seconds: float = 10.0


class Agent:
    """`run` returns after SIGTERM or SIGINT, when nothing of the node runs any more."""

    def __init__(self, settings: Settings, machine: Machine) -> None:
        self._settings = settings
        kubeconfig = Kubeconfig.read(settings.kubeconfig)
        self._api = Api(kubeconfig)
        address = urlsplit(kubeconfig.server)
        api_server = (address.hostname or settings.node_ip, address.port or 443)
        self._machine = replace(
            machine, environment={**machine.environment, **api_server_variables(api_server)}
        )
        self._background: set[asyncio.Task[Any]] = set()
        self._problems: list[str] = []
        self._stop = asyncio.Event()
        self._failed = False
        self._services_changed = asyncio.Event()
        self._claims_changed = asyncio.Event()
        self._report_changed = asyncio.Event()
        self._resources = node.capacity()
        self._heart = node.NodeHeart(self._api, settings.name, settings.node_ip, self._resources)
        self._events = Events(self._api, settings.name)
        self._informers = self._make_informers()
        self._pods = PodSet(self._make_context)
        self._services = Services(
            self._api,
            node_ip=settings.node_ip,
            api_server=api_server,
            services=lambda: self._informers["Service"].objects.values(),
            pods=self._pods.endpoints,
        )
        self._claims = claims.Claims(
            self._api,
            settings.state.volumes,
            self._informers["PersistentVolumeClaim"],
            self._informers["PersistentVolume"],
        )
        self._kubelet = KubeletApi(self._pods.find_log, KUBELET_CLIENT)

    async def run(self) -> bool:
        """Whether it ended because it was asked to, and not because a part of it failed.

        Raises UserError when the API server can't be reached in the first minute.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        starting = asyncio.ensure_future(self._start())
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await stopped
        finally:
            starting.cancel()
            stopped.cancel()
            await self._shut_down()
        return not self._failed

    def _make_informers(self) -> dict[str, Informer]:
        def notify(event: asyncio.Event) -> Callable[[Manifest | None, Manifest | None], None]:
            return lambda _before, _after: event.set()

        def on_source(kind: str) -> Callable[[Manifest | None, Manifest | None], None]:
            return lambda before, after: self._pods.on_source(kind, after or before or {})

        def on_claim(_before: Manifest | None, _after: Manifest | None) -> None:
            self._claims_changed.set()
            for pod in self._pods:
                if pod.waits:
                    pod.inputs.beat()

        callbacks = {
            "Service": notify(self._services_changed),
            "ConfigMap": on_source("ConfigMap"),
            "Secret": on_source("Secret"),
            "PersistentVolumeClaim": on_claim,
            "PersistentVolume": on_claim,
        }
        made = {kind: Informer(self._api, kind, callback) for kind, callback in callbacks.items()}
        here = f"spec.nodeName={self._settings.name}"
        made["Pod"] = Informer(self._api, "Pod", self._on_pod, selector=here)
        return made

    def _make_context(self, _pods: PodSet) -> NodeContext:
        settings, found = self._settings, self._informers
        return NodeContext(
            api=self._api,
            facts=NodeFacts(settings.name, settings.node_ip, self._resources),
            machine=self._machine,
            addresses=Addresses(settings.pod_cidr),
            events=self._events,
            config_map=found["ConfigMap"].get,
            secret=found["Secret"].get,
            claim=found["PersistentVolumeClaim"].get,
            persistent_volume=found["PersistentVolume"].get,
            pods_root=settings.state.pods,
            volumes_root=settings.state.volumes,
            logs_root=settings.state.pod_log,
            host_names=lambda: self._services.names,
            pod_changed=lambda _pod: self._pods_changed(),
            backoff_seconds=settings.backoff_seconds,
        )

    async def _start(self) -> None:
        await self._until_reachable(self._register)
        others = [informer for kind, informer in self._informers.items() if kind != "Pod"]
        # Pods last, so that none misses a ConfigMap or a Service's name that is there.
        for group in (others, [self._informers["Pod"]]):
            for informer in group:
                self._spawn(informer.run())
            await asyncio.gather(*(informer.synced.wait() for informer in group))
            if group is others:
                await self._reconcile_services()
        self._pods.remove_leftovers()
        for work in (self._events.run(), self._heart.run()):
            self._spawn(work)
        self._spawn(self._on_each(self._services_changed, self._reconcile_services))
        self._spawn(self._on_each(self._claims_changed, self._claims.reconcile))
        await self._serve_logs()
        self._spawn(self._keep_report())

    async def _register(self) -> None:
        await self._heart.register()
        try:
            await self._api.create("StorageClass", claims.storage_class())
        except ApiError as error:
            if error.status != 409:
                raise

    async def _until_reachable(self, work: Callable[[], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + API_WAIT_SECONDS
        while True:
            try:
                return await work()
            except ApiError as error:
                if loop.time() > deadline:
                    raise UserError(
                        f"the API server at {self._api.server} did not take the node in within "
                        f"{API_WAIT_SECONDS:g} s ({error}): see the control plane's logs"
                    ) from error
                await asyncio.sleep(API_RETRY_SECONDS)

    async def _serve_logs(self) -> None:
        host = self._settings.node_ip
        context = server_context(self._settings.state.root / "pki")
        if context is None:
            self._problems.append("`kubectl logs` does not work: no kubelet certificate in pki/")
            return
        try:
            await self._kubelet.start(host, node.KUBELET_PORT, context)
        except OSError as error:
            self._problems.append(
                f"`kubectl logs` does not work: can't listen on {host}:{node.KUBELET_PORT} "
                f"({error.strerror})"
            )

    def _on_pod(self, before: Manifest | None, after: Manifest | None) -> None:
        self._pods.on_change(before, after)
        self._pods_changed()

    def _pods_changed(self) -> None:
        self._services_changed.set()
        self._report_changed.set()

    async def _reconcile_services(self) -> None:
        known = self._services.problems
        if await self._services.reconcile():
            self._pods.write_hosts()
        for problem in self._services.problems:
            if problem not in known:
                LOG.warning("%s", problem)
        self._report_changed.set()

    async def _on_each(self, event: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` after each `event`; events that come close together are one."""
        while True:
            await event.wait()
            await asyncio.sleep(SETTLE_SECONDS)
            event.clear()
            try:
                await work()
            except ApiError as error:
                LOG.warning("%s", error)
                await asyncio.sleep(1.0)
                event.set()

    async def _keep_report(self) -> None:
        while True:
            self._report_changed.clear()
            report_file.write(
                self._settings.state.run / "node-agent.json",
                pods=self._pods,
                services=self._services.summary,
                problems=[*self._problems, *self._services.problems],
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._report_changed.wait(), REPORT_SECONDS)
            await asyncio.sleep(SETTLE_SECONDS)

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._lost)

    def _lost(self, task: "asyncio.Task[Any]") -> None:
        """A background task runs for ever; without one of them the agent had better start anew."""
        if not task.cancelled() and (error := task.exception()):
            LOG.error("the node agent lost a part of itself and ends", exc_info=error)
            self._failed = True
            self._stop.set()

    async def _shut_down(self) -> None:
        await self._pods.shut_down(GRACE_ON_STOP_SECONDS, STOP_SECONDS)
        with contextlib.suppress(ApiError, TimeoutError):
            await asyncio.wait_for(self._heart.report(ready=False), 2.0)
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        self._kubelet.close()
        self._services.close()
        (self._settings.state.run / "node-agent.json").unlink(missing_ok=True)
        await self._api.close()
