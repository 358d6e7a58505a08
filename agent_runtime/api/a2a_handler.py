"""A2A's methods on runs; everything that is known of a task comes from the store of runs."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from a2a.server.context import ServerCallContext
from a2a.server.events import Event
from a2a.types.a2a_pb2 import (
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    ListTasksResponse,
    Message,
    SendMessageRequest,
    SubscribeToTaskRequest,
    Task,
)
from a2a.utils.errors import (
    ContentTypeNotSupportedError,
    InvalidParamsError,
    PushNotificationNotSupportedError,
    UnsupportedOperationError,
)
from a2a.utils.task import apply_history_length
from google.protobuf.json_format import MessageToDict

from agent_runtime.api import a2a_people
from agent_runtime.api.a2a_errors import told, told_stream
from agent_runtime.api.a2a_refusals import Refusals
from agent_runtime.api.a2a_wire import MESSAGE, STATES, TaskUpdates, task_of
from agent_runtime.api.agent_card import HITL
from agent_runtime.api.decisions import all_answered, decided
from agent_runtime.api.feed import THERE_SECONDS, Feed
from agent_runtime.api.surface import Surface, bounded, checked_session, idempotency_key
from agent_runtime.auth import Identity
from agent_runtime.runs.port import TERMINAL, RunRecord, RunRequest

_PAGE, _MAX_PAGE = 50, 100
_TEXT = frozenset({"text", "text/plain", "text/*", "*/*"})
_RUN_STATES = {state: name for name, state in STATES.items()}


class RunTasks(Refusals):
    """Tasks are runs, contexts are sessions; any replica answers for any task."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface

    @told
    async def on_message_send(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> Task | Message:
        extension = _extension(context)
        if params.configuration.return_immediately:
            run, _ = await self._begun(params, context)
            return self._shown(run, params.configuration, extension=extension)
        with self._surface.streams.one():
            run, after = await self._begun(params, context)
            async with Feed(self._surface.runs, run.tenant, run.id, after=after) as feed:
                async for _ in feed.until_halt():
                    pass
        run = await self._surface.runs.get(run.tenant, run.id)
        return self._shown(run, params.configuration, extension=extension)

    @told_stream
    async def on_message_send_stream(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event]:
        with self._surface.streams.one():
            run, after = await self._begun(params, context)
            async for event in self._updates(run, context, after=after):
                yield event

    @told_stream
    async def on_subscribe_to_task(
        self, params: SubscribeToTaskRequest, context: ServerCallContext
    ) -> AsyncGenerator[Event]:
        run = await self._surface.runs.get(_identity(context).tenant, params.id)
        if run.state in TERMINAL:
            raise UnsupportedOperationError(f"task {run.id} has ended: {run.state}")
        with self._surface.streams.one():
            async for event in self._updates(run, context, after=None, pauses=_is_v1(context)):
                yield event

    @told
    async def on_get_task(self, params: GetTaskRequest, context: ServerCallContext) -> Task | None:
        _check_history(params)
        run = await self._surface.runs.get(_identity(context).tenant, params.id)
        return self._shown(run, params, extension=_extension(context))

    @told
    async def on_list_tasks(
        self, params: ListTasksRequest, context: ServerCallContext
    ) -> ListTasksResponse:
        _check_history(params)
        size = params.page_size if params.HasField("page_size") else _PAGE
        if not 1 <= size <= _MAX_PAGE:
            raise InvalidParamsError(f"pageSize is between 1 and {_MAX_PAGE}")
        wanted = params.status
        if wanted and wanted not in _RUN_STATES:
            return ListTasksResponse(page_size=size)
        page = await self._surface.runs.list(
            _identity(context).tenant,
            session=params.context_id or None,
            state=_RUN_STATES[wanted] if wanted else None,
            limit=size,
            cursor=params.page_token or None,
        )
        extension = _extension(context)
        since = params.status_timestamp_after.ToNanoseconds() / 1e9
        tasks = [
            self._shown(run, params, extension=extension)
            for run in page.runs
            if run.updated >= since
        ]
        return ListTasksResponse(
            tasks=tasks, next_page_token=page.next or "", page_size=size, total_size=len(tasks)
        )

    @told
    async def on_cancel_task(
        self, params: CancelTaskRequest, context: ServerCallContext
    ) -> Task | None:
        run = await self._surface.runs.cancel(_identity(context).tenant, params.id)
        return task_of(run, extension=_extension(context))

    async def _begun(
        self, params: SendMessageRequest, context: ServerCallContext
    ) -> tuple[RunRecord, str | None]:
        """A new run, or a waiting one that goes on; and the event after which news begin."""
        message = params.message
        _check_history(params.configuration)
        if params.configuration.HasField("task_push_notification_config"):
            raise PushNotificationNotSupportedError
        modes = params.configuration.accepted_output_modes
        if modes and not _TEXT & set(modes):
            raise ContentTypeNotSupportedError("this agent answers in text/plain")
        if not message.parts:
            raise InvalidParamsError("a message needs a part")
        if message.task_id:
            return await self._answered(message, _identity(context))
        headers = context.state.get("headers", {})
        chain = self._surface.chain(headers)
        run = await self._surface.runs.submit(
            RunRequest(
                identity=_identity(context),
                messages=[{"role": "user", "content": _text(message)}],
                session=checked_session(message.context_id or None, "contextId"),
                headers=headers,
                idempotency_key=idempotency_key(headers),
                limits=bounded(chain),
                chain=chain.agents,
                tainted=chain.tainted,
                metadata={"surface": "a2a", MESSAGE: message.message_id[:256]},
            )
        )
        return run, None

    async def _answered(self, message: Message, identity: Identity) -> tuple[RunRecord, str | None]:
        run = await self._surface.runs.get(identity.tenant, message.task_id)
        if message.context_id and message.context_id != run.session:
            raise InvalidParamsError(f"task {run.id} belongs to another context")
        if run.state != "waiting_input":
            raise UnsupportedOperationError(
                f"task {run.id} is {run.state}: begin a new one in its context"
            )
        answers = a2a_people.answers(message, run.approvals)
        all_answered(run, answers)
        after = await self._pause(run)
        return await decided(self._surface, identity, run, answers), after

    async def _pause(self, run: RunRecord) -> str | None:
        """The last event of a waiting run: what it waits for."""
        last = None
        async with Feed(self._surface.runs, run.tenant, run.id) as feed:
            while found := await feed.next(THERE_SECONDS):
                pauses = [event.id for event in found if event.type == "run.waiting_input"]
                last = pauses[-1] if pauses else last
        return last

    async def _updates(
        self,
        run: RunRecord,
        context: ServerCallContext,
        *,
        after: str | None,
        pauses: bool = False,
    ) -> AsyncGenerator[Event]:
        """The task, then its updates until it ends or, without `pauses`, waits for a person."""
        extension = _extension(context)
        updates = TaskUpdates(run, extension=extension)
        yield task_of(run, extension=extension)
        async with (
            Feed(self._surface.runs, run.tenant, run.id, after=after) as feed,
            aclosing(feed.every() if pauses else feed.until_halt()) as events,
        ):
            async for event in events:
                for update in updates.told(event):
                    yield update

    def _shown(self, run: RunRecord, params: Any, *, extension: bool) -> Task:
        task = apply_history_length(task_of(run, extension=extension), params)
        if isinstance(params, ListTasksRequest) and not params.include_artifacts:
            del task.artifacts[:]
        return task


def _identity(context: ServerCallContext) -> Identity:
    identity = context.state["identity"]
    assert isinstance(identity, Identity)  # noqa: S101 # the route put it there
    return identity


def _check_history(params: Any) -> None:
    if params.HasField("history_length") and params.history_length < 0:
        raise InvalidParamsError("historyLength is not negative")


def _is_v1(context: ServerCallContext) -> bool:
    """Whether the caller speaks 1.0, where a subscription lasts until the task has ended; on the
    0.3 wire a pause is the last event of its stream."""
    return str(context.state.get("headers", {}).get("a2a-version", "")).startswith("1")


def _extension(context: ServerCallContext) -> bool:
    return HITL in context.requested_extensions


def _text(message: Message) -> str:
    """What the agent reads: text as it is, data as JSON."""
    found = []
    for part in message.parts:
        if part.HasField("text"):
            found.append(part.text)
        elif part.HasField("data"):
            found.append(json.dumps(MessageToDict(part.data), ensure_ascii=False))
        else:
            raise ContentTypeNotSupportedError("this agent reads text and data, not files")
    return "\n".join(found)
