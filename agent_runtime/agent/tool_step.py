"""The step in which one tool is called; several of them run side by side."""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Any

from langgraph.runtime import Runtime

from agent_runtime.agent.budget import REFUSALS
from agent_runtime.agent.completion import Message
from agent_runtime.agent.context import Decision, RunContext
from agent_runtime.agent.retry import ATTEMPTS
from agent_runtime.agent.state import CallRecord, ToolTask
from agent_runtime.errors import RequestError
from agent_runtime.memory.approval_desk import ApprovalDesk
from agent_runtime.memory.approvals import Approval, approval_id, digest_of
from agent_runtime.runs.faults import Faults
from agent_runtime.telemetry import names
from agent_runtime.telemetry.metrics import Metrics
from agent_runtime.telemetry.tracing import Tracing
from agent_runtime.tools.arguments import ArgumentsError, checked
from agent_runtime.tools.policy import taint_handed_on, taints, verdict
from agent_runtime.tools.port import (
    BoundTool,
    CallContext,
    ToolResult,
    TransientToolError,
    as_data,
    version_of,
)
from agent_runtime.tools.registry import UnknownToolError
from agents.tool import HumanTool, RetrievalTool

_log = logging.getLogger(__name__)

UNKNOWN = (
    "It is not known whether the call of {tool} took effect: the server that made it was lost. "
    "Approve to make the call (again); reject if it did take effect or must not be repeated."
)
HELD_AGAIN_SECONDS = 0.1
CONFIRM_SECONDS = 120.0
"""How long replicas of the store may stay silent before a call that needs them is not made."""
UNCONFIRMED = "not called: no record of the call could be kept safe; nothing has happened"
UNKNOWN_RESULT = "it is not known whether this call took effect; do not repeat it by yourself"


@dataclass(frozen=True)
class _Call:
    """One wanted call, checked."""

    task: ToolTask
    bound: BoundTool
    arguments: dict[str, Any]
    context: RunContext

    @property
    def id(self) -> str:
        """Names the call within its run, whatever id the model gave it."""
        return f"{self.task['step']}:{self.task['position']}"

    @property
    def name(self) -> str:
        return self.bound.tool.name


class ToolStep:
    """Checks, asks a person where the policy says so, calls, and reports."""

    def __init__(
        self, *, desk: ApprovalDesk, metrics: Metrics, tracing: Tracing, faults: Faults
    ) -> None:
        self._desk = desk
        self._metrics = metrics
        self._tracing = tracing
        self._faults = faults

    async def __call__(self, state: ToolTask, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context = runtime.context
        key = f"t:{state['step']}:{state['position']}"
        if known := context.log.get(key):
            update: dict[str, Any] = known
            return update
        update = await self._update(state, runtime)
        if not update.get("waiting"):
            context.log.record(key, update)
            if context.log.get(f"s:{state['step']}:{state['position']}"):
                # until the result is stored, nobody could know that the call took effect
                await context.log.barrier()
                if not await context.log.confirmed():
                    _log.warning("result on one server only", extra={"fields": {"call": key}})
            self._faults.reach("tool.recorded")
            context.log.event("tool.finished", dict(update["calls"][0]))
        return update

    async def _update(self, state: ToolTask, runtime: Runtime[RunContext]) -> dict[str, Any]:
        call, context = state["call"], runtime.context
        if refusal := state["refusal"]:
            result = ToolResult(REFUSALS[refusal], error=True)
            return _report(call, None, result, "refused", limit=refusal)
        try:
            bound = context.tools.find(call["function"]["name"])
            arguments = checked(bound.tool, call["function"]["arguments"])
        except (UnknownToolError, ArgumentsError) as error:
            result = ToolResult(str(error), error=True)
            return _report(call, None, result, "error", misfit=(state["step"],))
        wanted = _Call(state, bound, arguments, context)
        answer = ""
        ruling = verdict(bound.tool, tainted=state["tainted"])
        if ruling.action == "ask":
            decision = await self._asked(wanted, _question(bound), ruling.reason)
            if isinstance(decision, dict):
                return decision
            if not decision.approved:
                text = f"a person refused this call: {decision.answer or 'no reason given'}"
                return _report(call, arguments, ToolResult(text, error=True), "refused")
            answer = decision.answer
        if not bound.tool.idempotent:
            stopped = await self._mark(wanted)
            if stopped is not None:
                return stopped
        tainted = taint_handed_on(bound.tool, ruling, tainted=state["tainted"])
        return await self._made(wanted, answer, tainted=tainted, last=_attempt(runtime) >= ATTEMPTS)

    async def _made(self, call: _Call, answer: str, *, tainted: bool, last: bool) -> dict[str, Any]:
        """The call itself, timed and counted."""
        context, task = call.context, call.task
        started = {"id": task["call"]["id"], "name": call.name, "arguments": call.arguments}
        context.log.event("tool.started", started)
        who = CallContext(
            context.identity.tenant,
            context.identity.user,
            context.run_id,
            task["call"]["id"],
            answer,
            session=context.session,
            deadline=context.deadline,
            tokens_left=max(0, context.budget.tokens - task["tokens"]),
            chain=context.chain,
            key=f"{context.run_id}:{call.id}",
            tainted=tainted,
        )
        loop = asyncio.get_running_loop()
        began = loop.time()
        result = await self._call(call, who, last=last)
        self._faults.reach("tool.called")
        seconds = loop.time() - began
        status = "error" if result.error else "ok"
        self._metrics.tool_duration.labels(self._metrics.agent, call.name, status).observe(seconds)
        bad = taints(call.bound.tool)
        return _report(task["call"], call.arguments, result, status, seconds=seconds, tainted=bad)

    async def _call(self, call: _Call, who: CallContext, *, last: bool) -> ToolResult:
        """The result, or TransientToolError where the graph's retry policy shall try again."""
        kind = "retriever" if isinstance(call.bound.tool, RetrievalTool) else "tool"
        attributes = {
            names.TOOL_NAME: call.name,
            names.TOOL_CALL: who.call_id,
            names.OBSERVATION_TYPE: kind,
        }
        with self._tracing.span(f"execute_tool {call.name}", "execute_tool", attributes) as span:
            try:
                result = await call.bound.call(call.arguments, who)
            except TransientToolError as error:
                if not last:
                    raise
                result = ToolResult(f"still failing after {ATTEMPTS} attempts: {error}", error=True)
            except RequestError:
                raise
            except Exception:  # noqa: BLE001 # a tool's defect must not end the run
                _log.exception("tool failed", extra={"fields": {"tool": call.name}})
                result = ToolResult("the tool failed", error=True)
            span.set_attribute("error", result.error)
            self._tracing.content(span, given=call.arguments, result=result.value)
        return result

    async def _mark(self, call: _Call) -> dict[str, Any] | None:
        """Write down that the call begins, before it does. None: begin.

        Where a lost worker wrote the same, the call may have taken effect: the tool's author says
        what happens then.
        """
        log, key = call.context.log, f"s:{call.id}"
        begun: int = log.earlier(key) or 0
        if begun and call.bound.tool.on_unknown == "fail":
            return _report(
                call.task["call"], call.arguments, ToolResult(UNKNOWN_RESULT, error=True), "error"
            )
        if begun and call.bound.tool.on_unknown == "ask":
            question = UNKNOWN.format(tool=call.name)
            decision = await self._asked(call, question, "outcome unknown", again=begun)
            if isinstance(decision, dict):
                return decision
            if not decision.approved:
                text = f"{UNKNOWN_RESULT}. A person says: {decision.answer or 'nothing more'}"
                result = ToolResult(text, error=True)
                return _report(call.task["call"], call.arguments, result, "refused")
        patience = asyncio.get_running_loop().time() + CONFIRM_SECONDS
        while True:
            log.record(key, begun + 1)
            await log.barrier()
            self._faults.reach("tool.marked")
            confirmed = await log.confirmed()
            if confirmed and log.held():
                return None
            if not confirmed and asyncio.get_running_loop().time() > patience:
                result = ToolResult(UNCONFIRMED, error=True)
                return _report(call.task["call"], call.arguments, result, "error")
            # this process stood still, and somebody else may have made the call meanwhile
            await asyncio.sleep(HELD_AGAIN_SECONDS)

    async def _asked(
        self, call: _Call, prompt: str, reason: str, *, again: int = 0
    ) -> Decision | dict[str, Any]:
        """What a person said; the update that makes the run wait where nobody has yet."""
        approval = _approval(call, prompt, reason, again)
        said = call.context.log.get(f"d:{approval.id}")
        if said is None:
            await self._desk.ask(approval)
            return {"waiting": [approval.public()]}
        # the journal says what was decided; the desk writes down that it was made use of
        await self._desk.use(approval.tenant, approval.id, approval.digest)
        return Decision(said["approved"], said["by"], said.get("answer", ""))


def _attempt(runtime: Runtime[RunContext]) -> int:
    return runtime.execution_info.node_attempt if runtime.execution_info else 1


def _question(bound: BoundTool) -> str:
    if isinstance(bound.tool, HumanTool):
        return bound.tool.config.prompt
    return f"May {bound.tool.name} be called?"


def _approval(call: _Call, prompt: str, reason: str, again: int) -> Approval:
    """Bound to the call and its arguments by its id."""
    tool, context = call.bound.tool, call.context
    version = version_of(tool)
    place = f"{call.id}:{again}" if again else call.id
    now = int(time.time())
    expires = tool.expires_seconds if isinstance(tool, HumanTool) else tool.approval.expires_seconds
    return Approval(
        id=approval_id(context.run_id, place, tool.name, call.arguments, version),
        tenant=context.identity.tenant,
        run_id=context.run_id,
        interrupt_id="",
        tool=tool.name,
        arguments=call.arguments,
        prompt=prompt,
        asked_by=context.identity.user,
        session=context.session,
        created=now,
        expires=now + int(expires),
        version=version,
        digest=digest_of(tool.name, call.arguments, version),
        reason=reason,
        four_eyes=tool.approval.four_eyes,
        role=tool.approval.role or "",
        needs_answer=isinstance(tool, HumanTool) and not again,
        trace_id=context.trace_id,
    )


def _report(
    call: dict[str, Any],
    arguments: dict[str, Any] | None,
    result: ToolResult,
    status: str,
    *,
    seconds: float = 0.0,
    limit: str = "",
    tainted: bool = False,
    misfit: tuple[int, ...] = (),
) -> dict[str, Any]:
    """The state's update after one call."""
    name = call["function"]["name"]
    message: Message = {
        "role": "tool",
        "tool_call_id": call["id"],
        "content": as_data(name, result),
    }
    record = CallRecord(
        id=call["id"],
        name=name,
        arguments=arguments if arguments is not None else call["function"]["arguments"],
        status=status,
        seconds=round(seconds, 4),
    )
    return {
        "messages": [message],
        "calls": [record],
        "sources": list(result.sources),
        "degraded": [result.degraded] if result.degraded else [],
        "limit": limit,
        "tainted": tainted,
        "misfits": {} if limit else {name: [*misfit]},
    }
