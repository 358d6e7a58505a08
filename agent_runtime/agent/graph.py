"""The agent's loop as a LangGraph graph: model → tools side by side → model … → end."""

from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import RetryPolicy, Send

from agent_runtime.agent import budget as limits
from agent_runtime.agent.context import RunContext
from agent_runtime.agent.model_step import ModelStep
from agent_runtime.agent.retry import ATTEMPTS
from agent_runtime.agent.state import RunState, ToolTask
from agent_runtime.agent.tool_step import ToolStep
from agent_runtime.tools.port import TransientToolError
from agents.document import Budget

Graph = CompiledStateGraph[Any, Any, Any, Any]


def build_graph(model_step: ModelStep, tool_step: ToolStep) -> Graph:
    """The compiled loop. It keeps no checkpoints: its steps find what they did in the journal."""
    graph = StateGraph(RunState, context_schema=RunContext)
    graph.add_node("model", model_step.__call__)
    retry = RetryPolicy(
        initial_interval=0.2,
        backoff_factor=2.0,
        max_attempts=ATTEMPTS,
        jitter=True,
        retry_on=TransientToolError,
    )
    graph.add_node("tool", tool_step.__call__, input_schema=ToolTask, retry_policy=retry)
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", _after_model, ["tool", END])
    graph.add_edge("tool", "model")
    return graph.compile()


async def _after_model(state: RunState, runtime: Runtime[RunContext]) -> list[Send] | str:
    """Every wanted tool call gets its own branch, so that only unfinished ones run again.

    A coroutine, since LangGraph would hand a plain function to a thread.
    """
    calls = state["messages"][-1].get("tool_calls", [])
    if not calls or state["waiting"]:
        return END
    earlier = [
        limits.call_key(call)
        for message in state["messages"][:-1]
        for call in message.get("tool_calls", [])
    ]
    refusals = limits.refusals(runtime.context.budget, earlier, calls)
    tokens = state["tokens_in"] + state["tokens_out"]
    return [
        Send(
            "tool",
            ToolTask(
                call=call,
                refusal=refusal,
                step=state["steps"] - 1,
                position=position,
                tainted=state["tainted"],
                tokens=tokens,
            ),
        )
        for position, (call, refusal) in enumerate(zip(calls, refusals, strict=True))
    ]


def recursion_limit(budget: Budget) -> int:
    """LangGraph's own bound, above what the budget can use: two supersteps a step."""
    return 2 * budget.steps + 5
