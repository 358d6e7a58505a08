"""Runs for the surfaces: stores them, has them executed here or elsewhere, tells their events."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import asdict

from agent_runtime.agent.answer_format import check_format
from agent_runtime.agent.context import Decision
from agent_runtime.errors import RequestError, invalid, unavailable
from agent_runtime.memory.ports import MemoryUnavailableError
from agent_runtime.runs.faults import Faults
from agent_runtime.runs.packing import digest_of, dumps, packed_request
from agent_runtime.runs.port import (
    OnBusy,
    Page,
    RunEvent,
    RunRecord,
    RunRequest,
    RunState,
    SessionRecord,
)
from agent_runtime.runs.run_log import RunLog
from agent_runtime.runs.store import NewRun, QueueFullError, RunStore, SessionBusyError, Submitted
from agent_runtime.runs.trace_parent import trace_of
from agent_runtime.runs.worker import Worker
from agent_runtime.stopping import stopped

MAX_METADATA = 16_384


class Runs:
    """The RunService of this process."""

    def __init__(
        self,
        store: RunStore,
        worker: Worker,
        *,
        executes: bool,
        takes: bool,
        on_busy: OnBusy,
        faults: Faults,
    ) -> None:
        """`executes`: what comes in here may be worked on here, where there is room."""
        self.store = store
        self.worker = worker
        self._executes = executes
        self._takes = takes
        self._on_busy: OnBusy = on_busy
        self._faults = faults
        self._starting: asyncio.Task[None] | None = None
        self._drained = False

    async def start(self) -> None:
        """Idempotent; the first submission does it where nobody did before."""
        if self._starting is None:
            self._starting = asyncio.create_task(self.worker.start(takes=self._takes))
        await asyncio.shield(self._starting)

    async def drain(self, seconds: float) -> None:
        """What runs here ends, or is handed back; nothing is taken any more."""
        if self._starting is not None and not self._drained:
            self._drained = True
            await stopped(self._starting)  # where it still waits for the store, nothing runs
            await self.worker.drain(seconds)

    async def close(self) -> None:
        await self.drain(0)
        await self.store.close()

    async def submit(self, request: RunRequest) -> RunRecord:
        await self.start()
        run = self._new(request)
        reserved = self._executes and not request.background and self.worker.reserve(run.id)
        submitted: Submitted | None = None
        self._faults.reach("submit.before")
        try:
            submitted = await self._stored(run, self.worker.name if reserved else "")
        finally:
            if reserved and not (submitted and submitted.claim):
                self.worker.free(run.id)
        self._faults.reach("submit.after")
        if submitted.claim:
            self.worker.execute(submitted.claim)
        return submitted.record

    async def get(self, tenant: str, run_id: str) -> RunRecord:
        with _told():
            found = await self.store.get(tenant, run_id)
        if found is None:
            raise _unknown()
        return found

    async def list(
        self,
        tenant: str,
        *,
        session: str | None = None,
        state: RunState | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page:
        with _told():
            return await self.store.list(
                tenant, session=session, state=state, limit=limit, cursor=cursor
            )

    async def events(
        self, tenant: str, run_id: str, *, after: str | None = None, ahead: bool = False
    ) -> AsyncGenerator[RunEvent]:
        log = self.worker.writer.find(run_id)
        if log is None or log.claim.tenant != tenant:
            await self.get(tenant, run_id)
        elif log.complete or after:
            async with aclosing(_local(log, after, ahead=ahead)) as local:
                async for event in local:
                    after = event.id or after
                    yield event
                    if event.last:
                        return
        with _told():
            async with aclosing(self.store.events(run_id, after)) as stored:
                async for event in stored:
                    yield event

    async def cancel(self, tenant: str, run_id: str) -> RunRecord:
        with _told():
            outcome = await self.store.cancel(tenant, run_id, "canceled by the caller")
        if outcome == "unknown":
            raise _unknown()
        if outcome == "ended":
            raise RequestError(409, "run_ended", "the run has ended; there is nothing to cancel")
        self.worker.lose(run_id)
        return await self.get(tenant, run_id)

    async def give_input(
        self, tenant: str, run_id: str, answers: Mapping[str, Decision]
    ) -> RunRecord:
        decisions = {approval: dumps(asdict(each)) for approval, each in answers.items()}
        with _told():
            outcome = await self.store.answer(tenant, run_id, decisions)
        if outcome == "unknown":
            raise _unknown()
        if outcome == "no_approval":
            raise RequestError(404, "approval_not_found", "the run waits for no such approval")
        if outcome == "answered":
            raise RequestError(409, "already_answered", "it was answered otherwise before")
        if outcome == "idle":
            raise RequestError(409, "not_waiting", "the run waits for nothing")
        return await self.get(tenant, run_id)

    async def session(self, tenant: str, session: str) -> SessionRecord:
        with _told():
            return await self.store.session(tenant, session)

    async def delete_session(self, tenant: str, session: str) -> None:
        with _told():
            found = await self.store.session(tenant, session)
            for run_id in (*reversed(found.waiting), *([found.active] if found.active else [])):
                await self.store.cancel(tenant, run_id, "its session was deleted")
                self.worker.lose(run_id)
            await self.store.forget(tenant, session)

    def _new(self, request: RunRequest) -> NewRun:
        check_format(request.response_format)
        trace_id, headers = trace_of(request.headers)
        if len(dumps(dict(request.metadata))) > MAX_METADATA:
            raise invalid(f"metadata is longer than {MAX_METADATA} bytes", param="metadata")
        return NewRun(
            id=uuid.uuid4().hex,
            tenant=request.identity.tenant,
            user=request.identity.user,
            session=request.session or uuid.uuid4().hex,
            request=packed_request(request, headers),
            digest=digest_of(request),
            asked=request.messages,
            on_busy=request.on_busy or self._on_busy,
            idempotency_key=request.idempotency_key or "",
            trace_id=trace_id,
        )

    async def _stored(self, run: NewRun, worker: str) -> Submitted:
        try:
            with _told():
                submitted = await self.store.submit(run, worker)
        except SessionBusyError as error:
            text = f"the session has an unfinished run, {error}"
            raise RequestError(409, "session_busy", text, retry_after_seconds=2) from None
        except QueueFullError:
            text = "too many runs wait; come back later"
            raise RequestError(429, "queue_full", text, retry_after_seconds=10) from None
        if submitted.digest not in (None, run.digest):
            text = "this idempotency key stands for another request"
            raise RequestError(409, "idempotency_conflict", text)
        return submitted


async def _local(log: RunLog, after: str | None, *, ahead: bool) -> AsyncGenerator[RunEvent]:
    """What this process itself records, without asking the store; ends where the log does."""
    queue = log.listen(ahead=ahead)
    try:
        passed = after is None
        for event in list(log.told):
            if passed:
                yield event
            passed = passed or event.id == after
        if not passed:
            return
        if log.lost:
            return
        while (event_or_end := await queue.get()) is not None:
            yield event_or_end
    finally:
        log.ignore(queue)


@contextmanager
def _told() -> Iterator[None]:
    """A store that is away, in a caller's words."""
    try:
        yield
    except MemoryUnavailableError as error:
        raise unavailable(str(error), code="memory_unavailable") from error


def _unknown() -> RequestError:
    return RequestError(404, "run_not_found", "there is no such run")
