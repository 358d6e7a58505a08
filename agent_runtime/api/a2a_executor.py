"""A2A tasks as runs of the agent. Thin: tasks are kept in this process only."""

import asyncio
from typing import Any

from a2a.auth.user import User
from a2a.helpers.proto_helpers import new_task_from_user_message, new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.context import ServerCallContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes.common import DefaultServerCallContextBuilder
from a2a.server.routes.jsonrpc_dispatcher import JsonRpcDispatcher
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types.a2a_pb2 import AgentCard
from google.protobuf.json_format import ParseDict
from starlette.requests import Request

from agent_runtime.agent.engine import Engine, RunRequest
from agent_runtime.auth import Identity
from agent_runtime.errors import RequestError

_END = None


class _Caller(User):
    """The verified caller; tasks of one tenant are invisible to another."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def user_name(self) -> str:
        return f"{self._identity.tenant}/{self._identity.user}"


class _ContextBuilder(DefaultServerCallContextBuilder):
    """Carries the identity that the route verified into the library's context."""

    def build(self, request: Request) -> ServerCallContext:
        context = super().build(request)
        context.state["identity"] = request.state.identity
        return context

    def build_user(self, request: Request) -> User:
        return _Caller(request.state.identity)


class AgentExecution(AgentExecutor):
    """Runs the agent for one A2A message; the A2A context is the session."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        if context.message is None or context.call_context is None:
            raise ValueError("a message is needed")
        task = context.current_task
        if task is None:
            task = new_task_from_user_message(context.message)
            await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        await updater.start_work()
        texts: asyncio.Queue[str | None] = asyncio.Queue()
        request = RunRequest(
            identity=context.call_context.state["identity"],
            messages=[{"role": "user", "content": context.get_user_input()}],
            session=task.context_id,
            headers=context.call_context.state.get("headers", {}),
            on_text=texts.put_nowait,
        )
        forwarding = asyncio.create_task(_forward(texts, updater, f"{task.id}-text"))
        try:
            result = await self._engine.run(request)
        except RequestError as error:
            message = new_text_message(error.message, context_id=task.context_id, task_id=task.id)
            await updater.failed(message)
            return
        finally:
            texts.put_nowait(_END)
            said = await forwarding
        if not said.endswith(result.text):
            await updater.add_artifact([new_text_part(result.text)], name="answer")
        reply = new_text_message(result.text, context_id=task.context_id, task_id=task.id)
        reply.metadata.update({"agentic": result.extension()})
        if result.status == "waiting_input":
            await updater.requires_input(reply)
        else:
            await updater.complete(reply)

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        """The library cancels the running `execute` itself; only the state is left to say."""
        updater = TaskUpdater(event_queue, context.task_id or "", context.context_id or "")
        await updater.cancel()


async def _forward(texts: asyncio.Queue[str | None], updater: TaskUpdater, artifact: str) -> str:
    """Send the answer's text piece by piece; all of it is returned."""
    said = ""
    while (text := await texts.get()) is not _END:
        parts = [new_text_part(text)]
        await updater.add_artifact(parts, artifact, name="answer", append=bool(said))
        said += text
    return said


def dispatcher(engine: Engine, card: dict[str, Any]) -> JsonRpcDispatcher:
    """The JSON-RPC endpoint for both wire versions."""
    handler = DefaultRequestHandler(
        agent_executor=AgentExecution(engine),
        task_store=InMemoryTaskStore(),
        agent_card=ParseDict(card, AgentCard()),
    )
    return JsonRpcDispatcher(
        request_handler=handler, context_builder=_ContextBuilder(), enable_v0_3_compat=True
    )
