"""A run as server-sent events: text as it comes, silence bridged, failures as events."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from agent_runtime.agent.engine import Engine, RunRequest
from agent_runtime.agent.result import RunResult
from agent_runtime.api.chat_answer import ChatAnswer, failure
from agent_runtime.errors import RequestError

FIRST_EVENT_SECONDS = 5.0
"""How long an answer's status may wait for the first event; an error by then has its own status."""
KEEP_ALIVE_SECONDS = 15.0
_KEEP_ALIVE = ": still working\n\n"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Started:
    trace_id: str
    session: str


_Event = _Started | str | RunResult | RequestError


class RunStream:
    """One run in a task of its own; ends with it when the client leaves."""

    def __init__(self, engine: Engine, request: RunRequest, answer: ChatAnswer) -> None:
        self._events: asyncio.Queue[_Event] = asyncio.Queue()
        self._answer = answer
        self._waiting: list[_Event] = []
        self._said = ""
        self.trace_id = ""
        self.session = ""
        request = replace(
            request,
            on_text=self._events.put_nowait,
            on_start=lambda trace, session: self._events.put_nowait(_Started(trace, session)),
        )
        self._task = asyncio.create_task(self._run(engine, request))

    async def start(self) -> None:
        """Wait a little for the first event. Raises the run's RequestError if that is it."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + FIRST_EVENT_SECONDS
        while (event := await self._next(deadline - loop.time())) is not None:
            if isinstance(event, RequestError):
                raise event
            if isinstance(event, _Started):
                self.trace_id, self.session = event.trace_id, event.session
                continue
            self._waiting.append(event)
            return

    async def events(self, *, usage: bool) -> AsyncIterator[str]:
        """The frames of the answer."""
        try:
            yield self._answer.opening()
            while True:
                event = (
                    self._waiting.pop() if self._waiting else await self._next(KEEP_ALIVE_SECONDS)
                )
                if event is None:
                    yield _KEEP_ALIVE
                elif isinstance(event, str):
                    self._said += event
                    yield self._answer.text(event)
                elif isinstance(event, RunResult):
                    if not self._said.endswith(event.text):
                        yield self._answer.text(event.text)
                    yield self._answer.end(event, usage=usage)
                    return
                elif isinstance(event, RequestError):
                    yield failure(event)
                    return
        finally:
            self._task.cancel()

    def cancel(self) -> None:
        self._task.cancel()

    async def _next(self, seconds: float) -> _Event | None:
        try:
            async with asyncio.timeout(seconds):
                return await self._events.get()
        except TimeoutError:
            return None

    async def _run(self, engine: Engine, request: RunRequest) -> None:
        try:
            self._events.put_nowait(await engine.run(request))
        except RequestError as error:
            self._events.put_nowait(error)
        except Exception:  # noqa: BLE001 # whatever it is, the client must hear of it
            _log.exception("run failed", extra={"fields": {"trace_id": self.trace_id}})
            self._events.put_nowait(
                RequestError(500, "internal_error", "the agent failed; its log says why")
            )
