"""Keeps kagent's UI current: tells the controller of runs, whatever became of their clients.

kagent 0.10 answers `tasks/get` from its own database and never asks the Pod, so what it is not told
of it does not find. It is told of pauses and ends, in the order in which they are due, again and
again while it is down; a run's own work never waits for it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from agent_runtime.assembly import AgentRuntime
from agent_runtime.errors import RequestError
from agent_runtime.kagent.outbox import Claimed, Outbox
from agent_runtime.kagent.settings import KagentSettings
from agent_runtime.memory.ports import MemoryUnavailableError
from agent_runtime.runs.port import RunRecord

POLL_SECONDS = 1.0
_SIDE_BY_SIDE = 4

Find = Callable[[str], Awaitable[RunRecord | None]]
"""The run of an id, whoever's it is; None once it expired."""

_log = logging.getLogger(__name__)


class Tells(Protocol):
    """The controller, as far as the mirror needs it. Raises ControllerError."""

    async def tell(self, run: RunRecord) -> None: ...


async def mirror(runtime: AgentRuntime) -> None:
    """Tell the controller of this agent's runs, until cancelled; without one there is none to tell.

    Runs that live in this process only are not mirrored: they end with it.
    """
    settings, sessions = KagentSettings(), runtime.sessions
    if not settings.url or sessions is None:
        return
    store = sessions.runs

    async def find(run_id: str) -> RunRecord | None:
        tenant = await store.owner(run_id)
        return await store.get(tenant, run_id) if tenant else None

    await Mirror(settings, store.outbox(), find).run()


class Mirror:
    """Sends what is due; several replicas share the work."""

    def __init__(self, settings: KagentSettings, outbox: Outbox, find: Find) -> None:
        self._settings = settings
        self._outbox = outbox
        self._find = find
        self._room = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def run(self) -> None:
        """Until it is canceled."""
        from agent_runtime.kagent.controller import Controller

        controller = Controller(self._settings)
        try:
            while True:
                try:
                    claimed = await self._outbox.claim()
                except MemoryUnavailableError:
                    claimed = []
                await asyncio.gather(*(self._send(controller, each) for each in claimed))
                if not claimed:
                    await asyncio.sleep(POLL_SECONDS)
        finally:
            await controller.close()

    async def _send(self, controller: Tells, claimed: Claimed) -> None:
        async with self._room:
            try:
                await self._told(controller, claimed)
            except MemoryUnavailableError:
                return  # it is due again by itself
            except Exception:  # noqa: BLE001 # one run that can't be told must not stop the others
                _log.exception("mirroring failed", extra={"fields": {"run": claimed.run_id}})

    async def _told(self, controller: Tells, claimed: Claimed) -> None:
        from agent_runtime.kagent.controller import ControllerError

        try:
            run = await self._find(claimed.run_id)
            if run is not None:
                await controller.tell(run)
        except RequestError:
            return  # the store is down; it is due again by itself
        except ControllerError as error:
            fields = {"run": claimed.run_id, "reason": str(error)}
            if not error.lasting:
                tries = await self._outbox.again(claimed)
                _log.warning("not mirrored yet", extra={"fields": {**fields, "tries": tries}})
                return
            _log.error("the controller refuses a run", extra={"fields": fields})
        await self._outbox.done(claimed)
