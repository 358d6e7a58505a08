"""A run's events as one client follows them: gathered ahead, handed over in bulk."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from types import TracebackType
from typing import Self, cast

from agent_runtime.errors import RequestError, unexpected
from agent_runtime.runs.port import RunEvent, RunService

THERE_SECONDS = 0.25
"""What the store has of a run is there at once; after this silence it was all."""
_CANCEL_SECONDS = 0.2
_AHEAD = 512
"""Events that wait for a slow client; the rest stays in the store until it has read these."""

_log = logging.getLogger(__name__)


class Feed:
    """Follows one run until it ends or is stopped; stopping does not touch the run."""

    def __init__(
        self,
        runs: RunService,
        tenant: str,
        run_id: str,
        *,
        after: str | None = None,
        ahead: bool = False,
        on_stop: Callable[[], None] | None = None,
    ) -> None:
        self._events = runs.events(tenant, run_id, after=after, ahead=ahead)
        self._ready: deque[RunEvent] = deque()
        self._news: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self._failure: RequestError | None = None
        self._ended = False
        self._on_stop = on_stop
        self._task = asyncio.create_task(self._gather())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Let go of the events, and of what `on_stop` holds; once is as good as twice."""
        if self._on_stop:
            self._on_stop()
            self._on_stop = None
        while not self._task.done():
            # until Python 3.12 `asyncio.wait_for`, which redis-py calls, may swallow a cancellation
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_CANCEL_SECONDS)

    @property
    def ended(self) -> bool:
        """Everything was handed over."""
        return self._ended and not self._ready

    async def next(self, seconds: float) -> list[RunEvent]:
        """All events that are there, once there are some; none after `seconds` of silence.

        None at the end, too. Raises the store's RequestError once all before it was handed over.
        """
        await self._wait(seconds)
        found = list(self._ready)
        self._ready.clear()
        self._room.set()
        if not found and self._failure:
            raise self._failure
        return found

    async def every(self) -> AsyncGenerator[RunEvent]:
        """One by one, for whoever has no use for silence."""
        while not self.ended:
            await self._wait(60)
            while self._ready:
                event = self._ready.popleft()
                self._room.set()
                yield event
        if self._failure:
            raise self._failure

    async def until_halt(self) -> AsyncGenerator[RunEvent]:
        """Every event up to the one at which the run ends, or waits for a person now."""
        async for event in self.every():
            yield event
            if event.last or (event.type == "run.waiting_input" and not await self.more()):
                return

    async def more(self) -> bool:
        """Whether something follows: a pause that was over long ago is no reason to stop."""
        await self._wait(THERE_SECONDS)
        return bool(self._ready)

    async def _wait(self, seconds: float) -> None:
        if self._ready or self._ended:
            return
        loop = asyncio.get_running_loop()
        news = self._news = loop.create_future()
        # asyncio.timeout around an event costs five times as much, for each word of each answer
        timer = loop.call_later(seconds, _tell, news)
        try:
            await news
        finally:
            timer.cancel()
            self._news = None

    async def _gather(self) -> None:
        try:
            async with aclosing(cast("AsyncGenerator[RunEvent]", self._events)) as events:
                async for event in events:
                    self._ready.append(event)
                    _tell(self._news)
                    while len(self._ready) >= _AHEAD:
                        self._room.clear()
                        await self._room.wait()
        except RequestError as error:
            self._failure = error
        except Exception:  # noqa: BLE001 # whatever it is, the client must hear of it
            _log.exception("events broke off")
            self._failure = unexpected()
        finally:
            self._ended = True
            _tell(self._news)


def _tell(news: asyncio.Future[None] | None) -> None:
    if news and not news.done():
        news.set_result(None)
