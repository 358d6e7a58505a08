"""The step in which one tool is called; several of them run side by side."""

import asyncio
import logging
from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from agent_runtime.agent.completion import Message
from agent_runtime.agent.context import Decision, RunContext
from agent_runtime.agent.retry import ATTEMPTS
from agent_runtime.agent.state import CallRecord, ToolTask
from agent_runtime.memory.approvals import approval_id
from agent_runtime.telemetry import names
from agent_runtime.telemetry.metrics import Metrics
from agent_runtime.telemetry.tracing import Tracing
from agent_runtime.tools.arguments import ArgumentsError, checked
from agent_runtime.tools.port import (
    BoundTool,
    CallContext,
    ToolResult,
    TransientToolError,
    as_data,
)
from agent_runtime.tools.registry import ToolRegistry, UnknownToolError
from agents.tool import HumanTool, RetrievalTool, Tool

_log = logging.getLogger(__name__)

REFUSALS = {
    "tool_calls": "no more tool calls are allowed in this request",
    "same_call": "this very call was made before; use its result",
}


class ToolStep:
    """Checks, asks a person where the policy says so, calls, and reports."""

    def __init__(self, registry: ToolRegistry, *, metrics: Metrics, tracing: Tracing) -> None:
        self._registry = registry
        self._metrics = metrics
        self._tracing = tracing

    async def __call__(self, state: ToolTask, runtime: Runtime[RunContext]) -> dict[str, Any]:
        call, context = state["call"], runtime.context
        name = call["function"]["name"]
        if refusal := state["refusal"]:
            result = ToolResult(REFUSALS[refusal], error=True)
            return _report(call, None, result, "refused", 0.0, limit=refusal)
        try:
            bound = self._registry.find(name)
            arguments = checked(bound.tool, call["function"]["arguments"])
        except (UnknownToolError, ArgumentsError) as error:
            return _report(call, None, ToolResult(str(error), error=True), "error", 0.0)
        answer = ""
        if isinstance(bound.tool, HumanTool) or bound.tool.needs_approval:
            decision = Decision(**interrupt(_question(bound.tool, call, arguments, context)))
            if not decision.approved:
                text = f"a person refused this call: {decision.answer or 'no reason given'}"
                result = ToolResult(text, error=True)
                return _report(call, arguments, result, "refused", 0.0)
            answer = decision.answer
        identity = context.identity
        who = CallContext(identity.tenant, identity.user, context.run_id, call["id"], answer)
        loop = asyncio.get_running_loop()
        started = loop.time()
        last = _attempt(runtime) >= ATTEMPTS
        result = await self._call(bound, arguments, who, last=last)
        seconds = loop.time() - started
        status = "error" if result.error else "ok"
        self._metrics.tool_duration.labels(self._metrics.agent, name, status).observe(seconds)
        return _report(call, arguments, result, status, seconds)

    async def _call(
        self, bound: BoundTool, arguments: dict[str, Any], who: CallContext, *, last: bool
    ) -> ToolResult:
        """The result, or TransientToolError where the graph's retry policy shall try again."""
        kind = "retriever" if isinstance(bound.tool, RetrievalTool) else "tool"
        attributes = {
            names.TOOL_NAME: bound.tool.name,
            names.TOOL_CALL: who.call_id,
            names.OBSERVATION_TYPE: kind,
        }
        with self._tracing.span(
            f"execute_tool {bound.tool.name}", "execute_tool", attributes
        ) as span:
            try:
                result = await bound.call(arguments, who)
            except TransientToolError as error:
                if not last:
                    raise
                result = ToolResult(f"still failing after {ATTEMPTS} attempts: {error}", error=True)
            except Exception:  # noqa: BLE001 # a tool's defect must not end the run
                _log.exception("tool failed", extra={"fields": {"tool": bound.tool.name}})
                result = ToolResult("the tool failed", error=True)
            span.set_attribute("error", result.error)
            self._tracing.content(span, given=arguments, result=result.value)
        return result


def _attempt(runtime: Runtime[RunContext]) -> int:
    return runtime.execution_info.node_attempt if runtime.execution_info else 1


def _question(
    tool: Tool, call: dict[str, Any], arguments: dict[str, Any], context: RunContext
) -> dict[str, Any]:
    """What a person is asked; bound to the call and its arguments by its id."""
    prompt, expires = f"May {tool.name} be called?", 3600.0
    if isinstance(tool, HumanTool):
        prompt, expires = tool.config.prompt, tool.expires_seconds
    return {
        "id": approval_id(context.run_id, call["id"], tool.name, arguments),
        "tool": tool.name,
        "arguments": arguments,
        "prompt": prompt,
        "expires_seconds": expires,
    }


def _report(
    call: dict[str, Any],
    arguments: dict[str, Any] | None,
    result: ToolResult,
    status: str,
    seconds: float,
    *,
    limit: str = "",
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
        "sources": result.sources,
        "degraded": [result.degraded] if result.degraded else [],
        "limit": limit,
    }
