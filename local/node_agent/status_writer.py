"""Telling the API server about a Pod: the newest status, one patch at a time."""

import asyncio
import logging
from typing import Protocol

from local.api_transport import ApiError
from local.node_agent.api import Api
from local.node_agent.objects import Manifest, key_of, uid_of
from local.node_agent.pod_status import PodRecord, status

LOG = logging.getLogger(__name__)
RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
FLUSH_SECONDS = 3.0


class Reported(Protocol):
    """The Pod that is written about."""

    pod: Manifest
    record: PodRecord


class StatusWriter:
    """Changes that come while a patch is under way go out together with the next one."""

    def __init__(self, api: Api, reported: Reported) -> None:
        self._api = api
        self._reported = reported
        self._dirty = asyncio.Event()
        self._sent: Manifest = {}
        self._writing = asyncio.Lock()

    def changed(self) -> None:
        self._dirty.set()

    async def run(self) -> None:
        failures = 0
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                await self._write()
                failures = 0
            except ApiError as error:
                if error.status in (404, 409):
                    # The Pod is gone, or its name belongs to another one.
                    continue
                level = logging.WARNING if error.status else logging.DEBUG
                LOG.log(level, "status of %s: %s", key_of(self._reported.pod), error)
                self._dirty.set()
                await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1

    async def flush(self) -> None:
        """Write what is left, as far as the API server answers soon."""
        try:
            await asyncio.wait_for(self._write(), FLUSH_SECONDS)
        except (ApiError, TimeoutError) as error:
            LOG.debug("last status of %s: %s", key_of(self._reported.pod), error)

    async def _write(self) -> None:
        async with self._writing:
            pod = self._reported.pod
            previous = self._sent or pod.get("status") or {}
            made = status(self._reported.record, previous)
            if made == self._sent:
                return
            namespace, name = key_of(pod)
            # The uid makes it a conflict, not a lie, when the name has been given to a new Pod.
            body = {"metadata": {"uid": uid_of(pod)}, "status": made}
            await self._api.patch("Pod", namespace, name, body, subresource="status")
            self._sent = made
