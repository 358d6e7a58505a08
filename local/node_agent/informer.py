"""The live objects of one kind: a list, kept fresh by a watch for as long as the agent runs."""

import asyncio
import logging
from collections.abc import Callable

from local.api_transport import ApiError
from local.node_agent.api import Api, path_of
from local.node_agent.objects import Key, Manifest, key_of

LOG = logging.getLogger(__name__)
RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
OnChange = Callable[[Manifest | None, Manifest | None], None]
"""Called with the object before and after; None before it was made, None after it is gone."""


class Informer:
    """`objects` mirrors the API server; `run` must be running for that to stay true."""

    def __init__(self, api: Api, kind: str, on_change: OnChange, *, selector: str = "") -> None:
        self.kind = kind
        self.objects: dict[Key, Manifest] = {}
        self.synced = asyncio.Event()
        self._api = api
        self._on_change = on_change
        self._params = {"fieldSelector": selector} if selector else {}

    def get(self, namespace: str, name: str) -> Manifest | None:
        return self.objects.get((namespace, name))

    async def run(self) -> None:
        """List and watch for ever; a lost connection heals by itself."""
        failures = 0
        while True:
            try:
                version = await self._list()
                failures = 0
                while True:
                    version = await self._watch(version)
                    await asyncio.sleep(RETRY_SECONDS[0])
            except ApiError as error:
                # 410: the watch fell behind; a new list is the ordinary way on.
                if error.status != 410:
                    LOG.debug("watch of %s: %s", self.kind, error)
            await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
            failures += 1

    async def _list(self) -> str:
        answer = await self._api.request("GET", path_of(self.kind), params=self._params)
        fresh = {key_of(item): item for item in answer.get("items") or []}
        for gone in [key for key in self.objects if key not in fresh]:
            self._put(gone, None)
        for key, item in fresh.items():
            self._put(key, item)
        self.synced.set()
        return str(answer["metadata"]["resourceVersion"])

    async def _watch(self, version: str) -> str:
        async for event in self._api.watch(path_of(self.kind), version, self._params):
            obj = event["object"]
            if event["type"] == "ERROR":
                raise ApiError.from_status(500, obj)
            version = obj["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self._put(key_of(obj), None if event["type"] == "DELETED" else obj)
        return version

    def _put(self, key: Key, obj: Manifest | None) -> None:
        before = self.objects.pop(key, None)
        if obj is not None:
            # Managed fields are half of an object's size and no use here.
            obj["metadata"].pop("managedFields", None)
            self.objects[key] = obj
        if before is None and obj is None:
            return
        if before and obj and _version(before) == _version(obj):
            return
        self._on_change(before, obj)


def _version(obj: Manifest) -> str:
    return str(obj["metadata"].get("resourceVersion"))
