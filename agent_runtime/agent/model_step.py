"""The step in which the model speaks: it answers, or it asks for tools."""

import asyncio
from typing import Any

from langgraph.runtime import Runtime

from agent_runtime.agent import budget as limits
from agent_runtime.agent import compaction
from agent_runtime.agent.answer_format import REPAIR, problem_of
from agent_runtime.agent.completion import Completion, Message
from agent_runtime.agent.context import RunContext
from agent_runtime.agent.model_client import Ask, ModelClient
from agent_runtime.agent.model_failure import CONTEXT_TOO_LONG
from agent_runtime.agent.pricing import Prices
from agent_runtime.agent.state import Compaction, RunState, conversation
from agent_runtime.agent.voice import Voice, guard_for
from agent_runtime.errors import RequestError
from agent_runtime.runs.faults import Faults
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
        prices: Prices,
        metrics: Metrics,
        tracing: Tracing,
        faults: Faults,
        window_tokens: int | None,
    ) -> None:
        self._spec = spec
        self._client = client
        self._prices = prices
        self._metrics = metrics
        self._tracing = tracing
        self._faults = faults
        self._window = window_tokens
        self._models = (spec.model.name, *spec.model.fallbacks)

    async def __call__(self, state: RunState, runtime: Runtime[RunContext]) -> dict[str, Any]:
        context = runtime.context
        log, key = context.log, f"m:{state['steps']}"
        if known := log.get(key):
            return {name: value for name, value in known.items() if name != "elapsed"}
        log.step = state["steps"]
        elapsed = asyncio.get_running_loop().time() - context.started
        limit = state["limit"] or limits.reached(
            context.budget,
            steps=state["steps"],
            tokens=state["tokens_in"] + state["tokens_out"],
            seconds=elapsed,
            usd=state["usd"],
        )
        if limit in limits.STOPS:
            return _stopped(limits.STOPS[limit], limit)
        update = await _Speech(self, state, context, closing=limit is not None).update()
        message = update["messages"][-1]
        if limit:
            update |= {"finish_reason": "length", "limit": limit}
            if "tool_calls" in message:
                text = message.get("content") or limits.OUT_OF_STEPS
                update["messages"] = [{"role": "assistant", "content": text}]
        self._faults.reach("model.answered")
        elapsed = asyncio.get_running_loop().time() - context.started
        log.record(key, {**update, "elapsed": round(elapsed, 3)})
        self._faults.reach("model.recorded")
        return update

    async def ask(
        self,
        messages: list[Message],
        context: RunContext,
        *,
        closing: bool,
        tainted: bool = False,
        shown: bool = True,
    ) -> tuple[Completion, float | None]:
        """One answer of the model and its price; not `shown`: its words are not for the caller."""
        log, step = context.log, context.log.step
        functions = context.tools.functions if shown else []
        form = context.response_format if shown else None
        ask = Ask(
            self._models,
            messages,
            tools=functions,
            may_call=not closing,
            temperature=context.temperature,
            max_tokens=context.max_tokens,
            response_format=dict(form) if form else None,
            deadline=context.deadline,
        )

        voice = Voice(log, step, guard_for(self._spec.output.links, tainted=tainted))

        attributes = {names.REQUEST_MODEL: self._models[0], names.OBSERVATION_TYPE: "generation"}
        with self._tracing.span(f"chat {self._models[0]}", "chat", attributes) as span:
            completion = await self._client.complete(
                ask, voice.say if shown else None, voice.restarted
            )
            if shown:
                voice.finish(completion)
            cost = self._prices.cost(completion)
            span.set_attributes(
                {
                    names.RESPONSE_MODEL: completion.model,
                    names.INPUT_TOKENS: completion.prompt_tokens,
                    names.OUTPUT_TOKENS: completion.completion_tokens,
                    names.FINISH_REASONS: [completion.finish_reason],
                    **({} if cost is None else {names.COST: cost}),
                }
            )
            self._tracing.content(span, given=messages, result=completion.message())
        self._count(completion, context, cost)
        return completion, cost

    def too_long(self, messages: list[Message]) -> bool:
        """Whether the conversation nears what the model can read, as far as that is known."""
        if self._window is None:
            return False
        return compaction.tokens_of(messages) > compaction.SHARE * self._window

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


class _Speech:
    """One model step: asks, sums up a conversation that is too long, has a bad form repaired."""

    def __init__(
        self, step: ModelStep, state: RunState, context: RunContext, *, closing: bool
    ) -> None:
        self._step = step
        self._state = state
        self._context = context
        self._closing = closing
        self._tokens_in = self._tokens_cached = self._tokens_out = 0
        self._usd = 0.0
        self._compaction: Compaction | None = None

    async def update(self) -> dict[str, Any]:
        """The state's update."""
        messages = conversation(self._state)
        if self._step.too_long(messages):
            messages = await self._compact(messages)
        try:
            completion = await self._ask(messages)
        except RequestError as error:
            if error.code != CONTEXT_TOO_LONG or self._compaction:
                raise
            messages = await self._compact(messages)
            completion = await self._ask(messages)
        completion = await self._in_form(messages, completion)
        update: dict[str, Any] = {
            "messages": [completion.message()],
            "steps": 1,
            "tokens_in": self._tokens_in,
            "tokens_cached": self._tokens_cached,
            "tokens_out": self._tokens_out,
            "usd": self._usd,
            "model": completion.model,
            "finish_reason": completion.finish_reason,
        }
        return update | ({"compaction": self._compaction} if self._compaction else {})

    async def _in_form(self, messages: list[Message], completion: Completion) -> Completion:
        """An answer that lacks the form asked for is sent back once. Raises RequestError."""
        wanted, message = self._context.response_format, completion.message()
        if wanted is None or "tool_calls" in message:
            return completion
        problem = problem_of(completion.text, wanted)
        if not problem:
            return completion
        log = self._context.log
        log.restarted(log.step, 1, "the answer did not have the form asked for")
        note: Message = {"role": "user", "content": REPAIR.format(problem=problem)}
        self._closing = True
        repaired = await self._ask([*messages, message, note])
        if problem := problem_of(repaired.text, wanted):
            text = f"the model's answer does not have the form asked for: {problem}"
            raise RequestError(502, "bad_answer_format", text)
        return repaired

    async def _ask(self, messages: list[Message]) -> Completion:
        if self._closing and self._context.tools.functions:
            messages = [*messages, {"role": "system", "content": limits.NOTE}]
        completion, cost = await self._step.ask(
            messages, self._context, closing=self._closing, tainted=self._state["tainted"]
        )
        self._book(completion, cost)
        return completion

    async def _compact(self, messages: list[Message]) -> list[Message]:
        first, last = compaction.cut(messages)
        summary = ""
        if last > first:
            asked = compaction.question(messages[first:last])
            completion, cost = await self._step.ask(asked, self._context, closing=True, shown=False)
            self._book(completion, cost)
            summary = completion.text
        until = len(self._state["messages"])
        self._compaction = compaction.compacted(messages, summary, until)
        return self._compaction["messages"]

    def _book(self, completion: Completion, cost: float | None) -> None:
        self._tokens_in += completion.prompt_tokens
        self._tokens_cached += completion.cached_tokens
        self._tokens_out += completion.completion_tokens
        self._usd += cost or 0.0


def _stopped(text: str, limit: str) -> dict[str, Any]:
    message: Message = {"role": "assistant", "content": text}
    return {"messages": [message], "finish_reason": "length", "limit": limit}
