"""All Pods on this node, by uid: taken up, kept in step and let go as the API server says."""

import asyncio
import logging
import shutil
from collections.abc import Callable, Iterator

from local.node_agent.log_file import LogFile, log_path
from local.node_agent.node_context import NodeContext
from local.node_agent.objects import Manifest, key_of, uid_of
from local.node_agent.pod import Pod
from local.node_agent.service_table import PodEndpoint
from local.node_agent.volumes import references

LOG = logging.getLogger(__name__)


class PodSet:
    """Pods that were seen; `on_change` is the Pod informer's callback."""

    def __init__(self, make_context: Callable[["PodSet"], NodeContext]) -> None:
        self._pods: dict[str, Pod] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._context = make_context(self)
        self._closed = False

    def __iter__(self) -> Iterator[Pod]:
        return iter(list(self._pods.values()))

    def on_change(self, before: Manifest | None, after: Manifest | None) -> None:
        if self._closed:
            return
        if before is not None and (after is None or uid_of(before) != uid_of(after)):
            self._forget(uid_of(before))
        if after is None:
            return
        if known := self._pods.get(uid_of(after)):
            known.update(after)
            return
        pod = Pod(after, self._context)
        self._pods[pod.uid] = pod
        if not after["spec"].get("hostNetwork") and pod.pod_ip:
            # Held before any new Pod asks for an address.
            self._context.addresses.claim(pod.uid, pod.pod_ip)
        pod.start()
        pod.update(after)

    def on_source(self, kind: str, obj: Manifest) -> None:
        """A ConfigMap or Secret has changed or gone: tell the Pods that may be made of it."""
        namespace, name = key_of(obj)
        for pod in self:
            if pod.pod["metadata"]["namespace"] != namespace:
                continue
            if (kind, name) in references(pod.pod) or pod.waits:
                pod.inputs.beat()

    def endpoints(self) -> list[PodEndpoint]:
        return [
            PodEndpoint.of(pod.pod, pod.pod_ip, ready=pod.record.ready and not pod.finished)
            for pod in self
        ]

    def write_hosts(self) -> None:
        for pod in self:
            if pod.alive:
                pod.write_hosts()

    def find_log(self, namespace: str, name: str, container: str) -> LogFile | None:
        """The log of a container of a Pod that is here."""
        for pod in self:
            if key_of(pod.pod) == (namespace, name):
                return pod.logs(container)
        return None

    def remove_leftovers(self) -> None:
        """Folders and logs of Pods that went while no agent ran."""
        folders = self._context.pods_root
        for folder in folders.iterdir() if folders.exists() else ():
            if folder.name not in self._pods:
                shutil.rmtree(folder, ignore_errors=True)
        logs = self._context.logs_root
        kept = tuple(log_path(logs, pod.pod, "").name.removesuffix(".log") for pod in self)
        for log in logs.glob("*_*_*.log*"):
            if not log.name.startswith(kept):
                log.unlink(missing_ok=True)

    async def shut_down(self, grace_seconds: float, limit_seconds: float) -> None:
        """Stop everything, in parallel; what is not gone in time dies with this process."""
        self._closed = True
        stops = [asyncio.ensure_future(pod.shut_down(grace_seconds)) for pod in self]
        stops += self._leaving
        if stops:
            _, late = await asyncio.wait(stops, timeout=limit_seconds)
            for task in late:
                task.cancel()

    def _forget(self, uid: str) -> None:
        pod = self._pods.pop(uid, None)
        if pod:
            task = asyncio.ensure_future(pod.forget())
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
