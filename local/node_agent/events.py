"""Kubernetes Events about Pods; repeated ones are counted, not repeated."""

import asyncio
import logging
from dataclasses import dataclass

from local.api_transport import ApiError
from local.node_agent.api import Api
from local.node_agent.objects import Manifest, timestamp

LOG = logging.getLogger(__name__)
SOURCE = "node-agent"
REMEMBERED = 500
QUEUED = 200
_NAME_LIMIT = 200


@dataclass(frozen=True)
class _Key:
    uid: str
    kind: str
    reason: str
    message: str


class Events:
    """`record` never blocks and never fails; `run` writes what was recorded."""

    def __init__(self, api: Api, node: str) -> None:
        self._api = api
        self._node = node
        self._queue: asyncio.Queue[tuple[Manifest, _Key]] = asyncio.Queue(QUEUED)
        self._counts: dict[_Key, tuple[str, int]] = {}
        self._serial = 0

    def record(self, pod: Manifest, kind: str, reason: str, message: str) -> None:
        """Events that come faster than they can be written are dropped."""
        key = _Key(pod["metadata"]["uid"], kind, reason, message[:1024])
        try:
            self._queue.put_nowait((pod, key))
        except asyncio.QueueFull:
            LOG.debug("event dropped: %s", key)

    async def run(self) -> None:
        while True:
            pod, key = await self._queue.get()
            try:
                await self._write(pod, key)
            except ApiError as error:
                # 404, 403: the namespace is gone or going; the rest is not worth a retry either.
                LOG.debug("event not written: %s", error)

    async def _write(self, pod: Manifest, key: _Key) -> None:
        namespace = pod["metadata"]["namespace"]
        name, count = self._counts.get(key, ("", 0))
        if name:
            body = {"count": count + 1, "lastTimestamp": timestamp()}
            await self._api.patch("Event", namespace, name, body)
        else:
            self._serial += 1
            made = event(pod, key.kind, key.reason, key.message, self._node, self._serial)
            name = (await self._api.create("Event", made))["metadata"]["name"]
        self._counts.pop(key, None)
        self._counts[key] = (name, count + 1)
        while len(self._counts) > REMEMBERED:
            self._counts.pop(next(iter(self._counts)))


def event(pod: Manifest, kind: str, reason: str, message: str, node: str, serial: int) -> Manifest:
    """A first Event of its sort."""
    metadata = pod["metadata"]
    now = timestamp()
    unique = f"{metadata['uid'][:8]}.{now.replace(':', '').lower()}.{serial}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{metadata['name'][:_NAME_LIMIT]}.{unique}",
            "namespace": metadata["namespace"],
        },
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
        "type": kind,
        "reason": reason,
        "message": message,
        "source": {"component": SOURCE, "host": node},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
