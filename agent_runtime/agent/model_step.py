"""The step in which the model speaks: it answers, or it asks for tools."""

import asyncio
from typing import Any

from langgraph.runtime import Runtime

from agent_runtime.agent import budget as limits
from agent_runtime.agent.completion import Completion, Message
from agent_runtime.agent.context import RunContext
from agent_runtime.agent.model_client import Ask, ModelClient
from agent_runtime.agent.pricing import Prices
from agent_runtime.agent.state import RunState
from agent_runtime.telemetry import names
from agent_runtime.telemetry.metrics import Metrics
from agent_runtime.telemetry.tracing import Tracing
from agents.document import AgentSpec


class ModelStep:
    """Calls the model with the conversation so far, within the run's budget."""

    def __init__(
        self,
        spec: AgentSpec,
        *,
        client: ModelClient,
        functions: list[dict[str, Any]],
        prices: Prices,
        metrics: Metrics,
        tracing: Tracing,
    ) -> None:
        self._spec = spec
        self._client = client
        self._functions = functions
        self._prices = prices
        self._metrics = metrics
        self._tracing = tracing
        self._models = (spec.model.name, *spec.model.fallbacks)

    async def __call__(self, state: RunState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context = runtime.context
        limit = state["limit"] or limits.reached(
            self._spec.budget,
            steps=state["steps"],
            tokens=state["tokens_in"] + state["tokens_out"],
            seconds=asyncio.get_running_loop().time() - context.started,
        )
        if limit in ("time", "tokens"):
            return _stopped(limits.OUT_OF_TIME if limit == "time" else limits.OUT_OF_TOKENS, limit)
        completion = await self._ask(state, context, closing=limit is not None)
        message = completion.message()
        if limit and "tool_calls" in message:
            message = {"role": "assistant", "content": completion.text or limits.OUT_OF_STEPS}
        return {
            "messages": [message],
            "steps": 1,
            "tokens_in": completion.prompt_tokens,
            "tokens_out": completion.completion_tokens,
            "model": completion.model,
            "finish_reason": "length" if limit else completion.finish_reason,
            "limit": limit or "",
        }

    async def _ask(self, state: RunState, context: RunContext, *, closing: bool) -> Completion:
        messages = list(state["messages"])
        if closing and self._functions:
            messages.append({"role": "system", "content": limits.NOTE})
        ask = Ask(
            self._models,
            messages,
            tools=self._functions,
            may_call=not closing,
            temperature=context.temperature,
            max_tokens=context.max_tokens,
            deadline=context.deadline,
        )
        with self._tracing.span(
            f"chat {self._models[0]}",
            "chat",
            {names.REQUEST_MODEL: self._models[0], names.OBSERVATION_TYPE: "generation"},
        ) as span:
            completion = await self._client.complete(ask, context.on_text)
            cost = self._prices.cost(completion)
            span.set_attribute(names.RESPONSE_MODEL, completion.model)
            span.set_attribute(names.INPUT_TOKENS, completion.prompt_tokens)
            span.set_attribute(names.OUTPUT_TOKENS, completion.completion_tokens)
            span.set_attribute(names.FINISH_REASONS, [completion.finish_reason])
            if cost is not None:
                span.set_attribute(names.COST, cost)
            self._tracing.content(span, given=messages, result=completion.message())
        self._count(completion, context, cost)
        return completion

    def _count(self, completion: Completion, context: RunContext, cost: float | None) -> None:
        labels = (
            self._metrics.agent,
            self._metrics.tenant(context.identity.tenant),
            self._models[0],
        )
        self._metrics.tokens.labels(*labels, "input").inc(completion.prompt_tokens)
        self._metrics.tokens.labels(*labels, "output").inc(completion.completion_tokens)
        if cost is not None:
            self._metrics.cost.labels(*labels).inc(cost)


def _stopped(text: str, limit: str) -> dict[str, Any]:
    message: Message = {"role": "assistant", "content": text}
    return {"messages": [message], "finish_reason": "length", "limit": limit}
