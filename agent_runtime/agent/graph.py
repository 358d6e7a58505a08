"""The agent's loop in LangGraph's functional form: model → tools side by side → model … → end.

One superstep holds the whole loop, each tool call is a task of its own in it. A superstep for each
step costs twice as much and gives nothing more here, where the journal knows what is done.
"""

import asyncio
from typing import Any

from langgraph.func import entrypoint, task
from langgraph.pregel import Pregel
from langgraph.runtime import Runtime, get_runtime
from langgraph.types import RetryPolicy

from agent_runtime.agent import budget as limits
from agent_runtime.agent.context import RunContext
from agent_runtime.agent.model_step import ModelStep
from agent_runtime.agent.retry import ATTEMPTS
from agent_runtime.agent.state import RunState, ToolTask, advanced
from agent_runtime.agent.tool_step import ToolStep
from agent_runtime.tools.port import TransientToolError

Graph = Pregel[Any, Any, Any, Any]


def build_graph(model_step: ModelStep, tool_step: ToolStep) -> Graph:
    """The loop. It keeps no checkpoints: its steps find what they did in the journal."""
    retry = RetryPolicy(
        initial_interval=0.2,
        backoff_factor=2.0,
        max_attempts=ATTEMPTS,
        jitter=True,
        retry_on=TransientToolError,
    )

    as_task: Any = task(name="tool", retry_policy=retry)
    tool = as_task(call)

    @entrypoint(context_schema=RunContext)
    async def agent(state: RunState, runtime: Runtime[RunContext]) -> RunState:
        while True:
            state = advanced(state, await model_step(state, runtime))
            wanted = _wanted(state, runtime.context)
            if not wanted:
                return state
            for update in await asyncio.gather(*(tool(tool_step, each) for each in wanted)):
                state = advanced(state, update)
            if state["waiting"]:
                return state  # played again when the people it waits for have spoken

    return agent


async def call(step: ToolStep, wanted: ToolTask) -> dict[str, Any]:
    """One tool call; of a function within another LangGraph looks at the signature each time."""
    return await step(wanted, get_runtime(RunContext))


def _wanted(state: RunState, context: RunContext) -> list[ToolTask]:
    """Every tool call of the last message, so that only unfinished ones run again."""
    calls = state["messages"][-1].get("tool_calls", [])
    if not calls:
        return []
    earlier = [
        limits.call_key(call)
        for message in state["messages"][:-1]
        for call in message.get("tool_calls", [])
    ]
    refusals = limits.refusals(context.budget, earlier, calls, state.get("misfits", {}))
    return [
        ToolTask(
            call=call,
            refusal=refusal,
            step=state["steps"] - 1,
            position=position,
            tainted=state["tainted"],
            tokens=state["tokens_in"] + state["tokens_out"],
        )
        for position, (call, refusal) in enumerate(zip(calls, refusals, strict=True))
    ]
