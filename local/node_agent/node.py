"""This machine as a Kubernetes Node: what it is, and that it lives."""

import asyncio
import logging
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from local.api_transport import ApiError
from local.node_agent.api import Api
from local.node_agent.objects import Manifest, timestamp

LOG = logging.getLogger(__name__)
KUBELET_VERSION = "v1.34.4-process"
KUBELET_PORT = 10250
LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40
RENEW_SECONDS = 10.0
PODS = "110"
OUR_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
"""Set by the API server and the controller manager until the node is Ready."""
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def capacity() -> dict[str, str]:
    """CPU, memory and Pods of this machine."""
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    disk = os.statvfs("/")
    return {
        "cpu": str(len(os.sched_getaffinity(0))),
        "memory": f"{pages * page_bytes // 1024}Ki",
        "ephemeral-storage": f"{disk.f_blocks * disk.f_frsize // 1024}Ki",
        "pods": PODS,
    }


def node(name: str) -> Manifest:
    """The Node object as it is registered."""
    arch = architecture()
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": arch,
        "topology.kubernetes.io/zone": "local",
        "topology.kubernetes.io/region": "local",
        "agentic.dev/runtime": "process",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {},
    }


def node_status(ip: str, name: str, resources: dict[str, str], *, ready: bool) -> Manifest:
    """The Node's status; transition times are kept by the caller's merge when nothing changes."""
    now = timestamp()
    return {
        "capacity": resources,
        "allocatable": resources,
        "addresses": [
            {"type": "InternalIP", "address": ip},
            {"type": "Hostname", "address": name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": KUBELET_PORT}},
        "nodeInfo": _info(),
        "conditions": [_condition(kind, now, ready=ready) for kind in _CONDITIONS],
    }


_CONDITIONS = {
    "MemoryPressure": ("KubeletHasSufficientMemory", "memory is not watched"),
    "DiskPressure": ("KubeletHasNoDiskPressure", "disks are not watched"),
    "PIDPressure": ("KubeletHasSufficientPID", "process counts are not watched"),
    "Ready": ("NodeAgentReady", "Pods run as processes of this machine"),
}


def _condition(kind: str, now: str, *, ready: bool) -> Manifest:
    reason, message = _CONDITIONS[kind]
    status = "True" if kind == "Ready" and ready else "False"
    if kind == "Ready" and not ready:
        reason, message = "NodeAgentStopped", "the node agent has ended"
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastHeartbeatTime": now,
    }


def _info() -> Manifest:
    def read(path: str) -> str:
        try:
            return Path(path).read_text().strip()
        except OSError:
            return ""

    machine = read("/etc/machine-id")
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        system = "Linux"
    return {
        "machineID": machine,
        "systemUUID": machine,
        "bootID": read("/proc/sys/kernel/random/boot_id"),
        "kernelVersion": platform.release(),
        "osImage": system,
        "containerRuntimeVersion": "process://0",
        "kubeletVersion": KUBELET_VERSION,
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": architecture(),
    }


class NodeHeart:
    """Registers the Node and keeps it Ready."""

    def __init__(self, api: Api, name: str, ip: str, resources: dict[str, str]) -> None:
        self._api = api
        self._name = name
        self._ip = ip
        self._resources = resources

    async def register(self) -> None:
        """Make the Node, or take over the one there is; raises ApiError."""
        made = node(self._name)
        try:
            await self._api.create("Node", made)
        except ApiError as error:
            if error.status != 409:
                raise
            await self._api.patch("Node", "", self._name, {"metadata": made["metadata"]})
        await self.report(ready=True)
        await self._renew()

    async def run(self) -> None:
        """Renew lease and status for ever."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                await self._renew()
                await self.report(ready=True)
            except ApiError as error:
                LOG.warning("node heartbeat: %s", error)

    async def report(self, *, ready: bool) -> None:
        """Write the Node's status and, when it is Ready, lift the taints that said otherwise."""
        known = await self._api.find("Node", "", self._name)
        if known is None:
            await self._api.create("Node", node(self._name))
            known = {}
        status = node_status(self._ip, self._name, self._resources, ready=ready)
        before = {c["type"]: c for c in (known.get("status") or {}).get("conditions") or []}
        for condition in status["conditions"]:
            old = before.get(condition["type"], {})
            same = old.get("status") == condition["status"]
            since = old.get("lastTransitionTime") if same else None
            condition["lastTransitionTime"] = since or condition["lastHeartbeatTime"]
        body = {"status": status}
        await self._api.patch("Node", "", self._name, body, subresource="status")
        taints = (known.get("spec") or {}).get("taints") or []
        kept = [taint for taint in taints if taint["key"] not in OUR_TAINTS]
        if ready and len(kept) != len(taints):
            spec = {"spec": {"taints": kept}}
            await self._api.patch("Node", "", self._name, spec, form="merge")

    async def _renew(self) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {
            "holderIdentity": self._name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": now,
        }
        try:
            await self._api.patch(
                "Lease", LEASE_NAMESPACE, self._name, {"spec": spec}, form="merge"
            )
        except ApiError as error:
            if error.status != 404:
                raise
            metadata = {"name": self._name, "namespace": LEASE_NAMESPACE}
            lease = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": metadata,
                "spec": spec,
            }
            await self._api.create("Lease", lease)
