"""A tenant's own compiled LangGraph graph as what works on runs.

The graph takes and gives `{"messages": [...]}`. Its checkpoints make a run go on where it stood on
any replica; an `interrupt` becomes an approval. Its model and tools are its own affair: budgets of
steps and time hold, those of tokens and tool calls do not.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from importlib import import_module
from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.errors import GraphRecursionError
from langgraph.graph.state import CompiledStateGraph, StateGraph
from langgraph.types import Command

from agent_runtime.agent import budget as limits
from agent_runtime.agent.accounts import Accounts
from agent_runtime.agent.graph import Graph
from agent_runtime.agent.result import RunResult
from agent_runtime.agent.voice import Voice, guard_for
from agent_runtime.auth import Identity
from agent_runtime.memory.approval_desk import ApprovalDesk
from agent_runtime.memory.approvals import Approval, approval_id, digest_of
from agent_runtime.memory.checkpoints import FENCE
from agent_runtime.memory.taint import plain
from agent_runtime.runs.ends import completed, waiting
from agent_runtime.runs.packing import limits_of
from agent_runtime.runs.run_log import RunLog
from agent_runtime.runs.store import Claim, End
from agent_runtime.settings import SettingsError
from agents.document import AgentDocument

TOOL = "graph"
"""What an approval names in place of a tool."""
EXPIRES_SECONDS = 3600


def load_graph(entrypoint: str, saver: BaseCheckpointSaver[str] | None) -> Graph:
    """The graph that `package.module:name` names. Raises SettingsError."""
    module, _, name = entrypoint.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"entrypoint {entrypoint!r}: {error}") from None
    if isinstance(found, StateGraph):
        found = found.compile()
    if not isinstance(found, CompiledStateGraph):
        kind = type(found).__name__
        raise SettingsError(f"entrypoint {entrypoint!r} is a {kind}, not a compiled graph")
    if saver is None:
        from langgraph.checkpoint.memory import InMemorySaver

        saver = InMemorySaver()
    return found.copy(update={"checkpointer": saver})


class OwnGraph:
    """Plays the graph from its last checkpoint; a worker that lost the run can write none."""

    def __init__(
        self,
        document: AgentDocument,
        graph: Graph,
        *,
        desk: ApprovalDesk,
        accounts: Accounts,
        degraded: tuple[str, ...],
    ) -> None:
        self._document = document
        self._graph = graph
        self._desk = desk
        self._accounts = accounts
        self._degraded = degraded

    async def advance(self, log: RunLog) -> End:
        """Answer, or pause for a person. Raises RequestError, RunLostError."""
        claim = log.claim
        identity = Identity(claim.tenant, claim.user, tuple(claim.request["roles"]))
        budget = limits.smaller(self._document.spec.budget, limits_of(claim.request))
        config: RunnableConfig = {
            "configurable": {"thread_id": claim.run_id, FENCE: str(claim.fence)},
            "recursion_limit": 2 * budget.steps + 5,
        }
        with self._accounts.work(claim, identity):
            try:
                async with asyncio.timeout(budget.seconds):
                    await self._play(log, config)
            except TimeoutError:
                return self._end(claim, limits.OUT_OF_TIME, limit="time")
            except GraphRecursionError:
                return self._end(claim, limits.OUT_OF_STEPS, limit="steps")
            state = await self._graph.aget_state(config)
            if state.interrupts:
                return await self._pause(log, state.interrupts)
            text = self._voice(log).cleaned(_answer(state.values))
            return self._end(claim, text, values=state.values)

    async def _play(self, log: RunLog, config: RunnableConfig) -> None:
        given = await self._given(log.claim, config)
        parts: AsyncIterator[Any] = self._graph.astream(
            given, config, stream_mode=["messages", "updates"], durability="sync"
        )
        voice = self._voice(log)
        async for mode, part in parts:
            if mode != "messages":
                continue
            message, metadata = part
            if isinstance(message, AIMessageChunk) and isinstance(message.content, str):
                step = int(metadata.get("langgraph_step", 0))
                if step != log.step:
                    voice.pause()
                    log.step, voice = step, self._voice(log, step)
                voice.say(message.content)
        voice.pause()

    def _voice(self, log: RunLog, step: int = 0) -> Voice:
        """What the graph's tools read is not known, so that every answer counts as tainted."""
        return Voice(log, step, guard_for(self._document.spec.output.links, tainted=True))

    async def _given(self, claim: Claim, config: RunnableConfig) -> Any:
        """The messages at first; the decisions, or nothing, where a checkpoint is there."""
        state = await self._graph.aget_state(config)
        if not state.values:
            return {"messages": [*plain(claim.history), *claim.request["messages"]]}
        answers = {}
        for interrupt in state.interrupts:
            approval = _approval(claim, interrupt.id, interrupt.value)
            if decision := claim.journal.get(f"d:{approval.id}"):
                await self._desk.use(approval.tenant, approval.id, approval.digest)
                answers[interrupt.id] = decision
        return Command(resume=answers) if answers else None

    async def _pause(self, log: RunLog, interrupts: Any) -> End:
        approvals = [_approval(log.claim, each.id, each.value) for each in interrupts]
        for each in approvals:
            await self._desk.ask(each)
        shown = [each.public() for each in approvals]
        result = self._result(log.claim, "Waiting for a person's decision.", approvals=shown)
        return waiting(result, min(each.expires for each in approvals))

    def _end(
        self, claim: Claim, text: str, *, limit: str = "", values: Mapping[str, Any] | None = None
    ) -> End:
        asked = list(claim.request["messages"])
        result = self._result(claim, text, limit=limit, values=values)
        return completed(result, [*asked, {"role": "assistant", "content": text}])

    def _result(
        self,
        claim: Claim,
        text: str,
        *,
        limit: str = "",
        values: Mapping[str, Any] | None = None,
        approvals: list[dict[str, Any]] | None = None,
    ) -> RunResult:
        used = [
            usage
            for message in (values or {}).get("messages", [])
            if (usage := getattr(message, "usage_metadata", None))
        ]
        return RunResult(
            text=text,
            status="waiting_input" if approvals else "completed",
            finish_reason="length" if limit else "stop",
            model=self._document.spec.model.name,
            session=claim.session,
            trace_id=claim.trace_id,
            prompt_tokens=sum(usage["input_tokens"] for usage in used),
            completion_tokens=sum(usage["output_tokens"] for usage in used),
            approvals=approvals or [],
            degraded=list(self._degraded),
            limit=limit,
        )


def _answer(values: Mapping[str, Any]) -> str:
    """The last message's text."""
    messages = values.get("messages") or []
    content = getattr(messages[-1], "content", "") if messages else ""
    if isinstance(content, str):
        return content
    parts = (part.get("text", "") for part in content if isinstance(part, dict))
    return "".join(parts)


def _approval(claim: Claim, interrupt_id: str, value: Any) -> Approval:
    """Bound to the interrupt and to what it shows."""
    shown = json.loads(json.dumps(value, default=str))
    now = int(time.time())
    return Approval(
        id=approval_id(claim.run_id, interrupt_id, TOOL, shown),
        tenant=claim.tenant,
        run_id=claim.run_id,
        interrupt_id=interrupt_id,
        tool=TOOL,
        arguments=shown,
        prompt=shown if isinstance(shown, str) else "The agent asks for a decision.",
        asked_by=claim.user,
        session=claim.session,
        created=now,
        expires=now + EXPIRES_SECONDS,
        digest=digest_of(TOOL, shown),
        reason="the agent's graph asks a person",
        trace_id=claim.trace_id,
    )
