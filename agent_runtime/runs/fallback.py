"""Answers without the store while it is away, for agents whose memory is not required."""

import asyncio
from collections.abc import AsyncIterator, Mapping

from agent_runtime.agent.context import Decision
from agent_runtime.errors import RequestError
from agent_runtime.runs.port import (
    Page,
    RunEvent,
    RunRecord,
    RunRequest,
    RunState,
    SessionRecord,
)
from agent_runtime.runs.service import Runs


class FallbackRuns:
    """Runs in the store; those that it could not take live in this process, and say so."""

    def __init__(self, stored: Runs, local: Runs) -> None:
        self._stored = stored
        self._local = local

    async def start(self) -> None:
        await self._stored.start()

    async def drain(self, seconds: float) -> None:
        await asyncio.gather(self._local.drain(seconds), self._stored.drain(seconds))

    async def close(self) -> None:
        await self._local.close()
        await self._stored.close()

    async def submit(self, request: RunRequest) -> RunRecord:
        try:
            return await self._stored.submit(request)
        except RequestError as error:
            if error.code != "memory_unavailable" or not _stands_alone(request):
                raise
        return await self._local.submit(request)

    async def get(self, tenant: str, run_id: str) -> RunRecord:
        return await (await self._of(tenant, run_id)).get(tenant, run_id)

    async def list(
        self,
        tenant: str,
        *,
        session: str | None = None,
        state: RunState | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page:
        return await self._stored.list(
            tenant, session=session, state=state, limit=limit, cursor=cursor
        )

    async def events(
        self, tenant: str, run_id: str, *, after: str | None = None, ahead: bool = False
    ) -> AsyncIterator[RunEvent]:
        runs = await self._of(tenant, run_id)
        async for event in runs.events(tenant, run_id, after=after, ahead=ahead):
            yield event

    async def cancel(self, tenant: str, run_id: str) -> RunRecord:
        return await (await self._of(tenant, run_id)).cancel(tenant, run_id)

    async def give_input(
        self, tenant: str, run_id: str, answers: Mapping[str, Decision]
    ) -> RunRecord:
        return await (await self._of(tenant, run_id)).give_input(tenant, run_id, answers)

    async def session(self, tenant: str, session: str) -> SessionRecord:
        return await self._stored.session(tenant, session)

    async def delete_session(self, tenant: str, session: str) -> None:
        await self._stored.delete_session(tenant, session)

    async def _of(self, tenant: str, run_id: str) -> Runs:
        """The one of the two that has the run."""
        found = await self._local.store.get(tenant, run_id)
        return self._local if found else self._stored


def _stands_alone(request: RunRequest) -> bool:
    """Whether it can be answered without the store: it continues no conversation, somebody waits
    for the answer, and no key promises that it is answered only once."""
    return not (request.session or request.background or request.idempotency_key)
