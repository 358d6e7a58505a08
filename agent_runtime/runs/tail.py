"""Events of runs that other processes execute: one blocking read follows all of them."""

import asyncio
import logging
import uuid
from collections.abc import AsyncGenerator
from typing import Any

from redis.exceptions import RedisError

from agent_runtime.memory.ports import MemoryUnavailableError
from agent_runtime.memory.redis_store import reported
from agent_runtime.runs.port import RunEvent
from agent_runtime.runs.redis_shapes import event
from agent_runtime.stopping import stopped

BLOCK_MS = 5000
_PAGE = 500
_CALL_SECONDS = 60

_log = logging.getLogger(__name__)
_Queue = asyncio.Queue[RunEvent | MemoryUnavailableError]


class Tail:
    """A stream of its own wakes the blocking read when there is one more run to follow."""

    def __init__(self, redis: Any, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._bell = f"{prefix}bell:{uuid.uuid4().hex}"
        self._listeners: dict[str, dict[_Queue, str]] = {}
        self._task: asyncio.Task[None] | None = None

    async def events(self, run_id: str, after: str | None) -> AsyncGenerator[RunEvent]:
        """What the log holds beyond `after`, then what is added to it; the caller knows the end."""
        name = f"{self._prefix}e:{run_id}"
        last = after or "0-0"
        async with reported():
            while stored := await self._redis.xrange(name, f"({last}", "+", count=_PAGE):
                for each in stored:
                    known = event(each)
                    last = known.id
                    yield known
        queue: _Queue = asyncio.Queue()
        self._listeners.setdefault(name, {})[queue] = last
        try:
            await self._ring()
            while True:
                item = await queue.get()
                if isinstance(item, MemoryUnavailableError):
                    raise item
                if _follows(item.id, last):
                    last = item.id
                    yield item
        finally:
            del self._listeners[name][queue]
            if not self._listeners[name]:
                del self._listeners[name]

    async def close(self) -> None:
        if self._task:
            await stopped(self._task)

    async def _ring(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._read())
            return
        async with reported(), self._redis.pipeline(transaction=False) as pipe:
            pipe.xadd(self._bell, {"r": ""}, maxlen=1)
            pipe.expire(self._bell, _CALL_SECONDS)
            await pipe.execute()

    async def _read(self) -> None:
        """Runs while somebody listens."""
        bell = "0-0"
        while self._listeners:
            streams: dict[Any, Any] = {
                name: min(positions.values(), key=_order)
                for name, positions in self._listeners.items()
            }
            streams[self._bell] = bell
            try:
                found = await self._redis.xread(streams, count=_PAGE, block=BLOCK_MS)
            except (RedisError, OSError) as error:
                self._fail(MemoryUnavailableError(f"session store: {type(error).__name__}"))
                return
            for key, entries in found or []:
                name = key.decode()
                if name == self._bell:
                    bell = entries[-1][0].decode()
                else:
                    self._deliver(name, entries)

    def _deliver(self, name: str, entries: Any) -> None:
        events = [event(each) for each in entries]
        positions = self._listeners.get(name, {})
        for queue in positions:
            for each in events:
                queue.put_nowait(each)
            positions[queue] = events[-1].id

    def _fail(self, error: MemoryUnavailableError) -> None:
        for positions in self._listeners.values():
            for queue in positions:
                queue.put_nowait(error)


def _order(position: str) -> tuple[int, int]:
    head, _, tail = position.partition("-")
    return int(head), int(tail or 0)


def _follows(position: str, last: str) -> bool:
    return _order(position) > _order(last)
