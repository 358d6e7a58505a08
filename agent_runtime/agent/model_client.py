"""One client for every OpenAI-compatible model behind the gateway."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from agent_runtime.agent.breaker import Breaker
from agent_runtime.agent.completion import Completion, GarbledStreamError, Message
from agent_runtime.agent.model_endpoint import ModelEndpoint, chunks, whole
from agent_runtime.agent.model_failure import ModelFailureError
from agent_runtime.agent.retry import ATTEMPTS, full_jitter
from agent_runtime.settings import Settings
from agent_runtime.telemetry.metrics import Metrics

WORDS_SECONDS = 0.04
"""Within which words are told together, the first ones of an answer excepted."""
EMBEDDINGS_SECONDS = 60.0
"""For one batch of texts, its repetitions included."""
_SLACK = 0.05
"""By what share of itself a silence may be longer than allowed before it is noticed."""
_CHARACTERS_PER_TOKEN = 4
"""Rule of thumb for tokens that were paid for but never counted, because the stream broke."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Ask:
    """One question to the model."""

    models: tuple[str, ...]
    """The model, then its fallbacks in order."""
    messages: Sequence[Message]
    tools: Sequence[dict[str, Any]] = ()
    may_call: bool = True
    """False: the tools are shown, since the conversation names them, but not to be called."""
    temperature: float | None = None
    max_tokens: int | None = None
    response_format: dict[str, Any] | None = None
    """OpenAI's form, for example `{"type": "json_schema", "json_schema": {...}}`."""
    deadline: float = float("inf")
    """Event-loop time at which waiting ends."""


class ModelClient:
    """Retries, fallbacks and circuit breakers live here and nowhere else."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._endpoint = ModelEndpoint(settings)
        self._breakers: dict[tuple[str, str], Breaker] = {}

    async def close(self) -> None:
        await self._endpoint.close()

    async def complete(
        self,
        ask: Ask,
        on_text: Callable[[str], None] | None = None,
        on_restart: Callable[[int], None] | None = None,
    ) -> Completion:
        """The answer of the first model that gives one. Raises RequestError.

        `on_text` gets the text as it comes. When a stream breaks after words were shown,
        `on_restart` gets the number of the attempt that begins: what was shown before is void.
        Without `on_restart` such a stream is not begun again, since words can't be taken back.
        """
        failure = ModelFailureError("resting after repeated failures")
        shown = _Shown(on_text, on_restart)
        for position, model in enumerate(ask.models):
            breaker = self._breaker(model)
            if not breaker.admits():
                continue
            if position:
                self._metrics.fallbacks.labels(self._metrics.agent, model).inc()
            try:
                attempt = partial(self._once, model, ask, shown)
                return await self._persist(model, attempt, ask.deadline, shown)
            except ModelFailureError as error:
                failure = error
                if not failure.fall_back:
                    break
        raise failure.to_request_error(ask.models[0])

    async def embed(
        self, model: str, texts: Sequence[str], *, seconds: float | None = None
    ) -> list[list[float]]:
        """One vector for each text, in order. Raises RequestError.

        `seconds` is what one attempt may take: by default as long as a first word.
        """
        patience = seconds or self._settings.model_first_token_seconds
        deadline = asyncio.get_running_loop().time() + max(EMBEDDINGS_SECONDS, patience)
        if not self._breaker(model).admits():
            raise ModelFailureError("resting after repeated failures").to_request_error(model)
        try:
            attempt = partial(self._embed_once, model, texts, patience, deadline)
            return await self._persist(model, attempt, deadline, _Shown())
        except ModelFailureError as failure:
            raise failure.to_request_error(model) from None

    async def _persist(
        self, model: str, attempt: Callable[[], Awaitable[Answer]], deadline: float, shown: "_Shown"
    ) -> Answer:
        """Up to ATTEMPTS tries of one model, within the deadline."""
        loop = asyncio.get_running_loop()
        breaker = self._breaker(model)
        for number in range(1, ATTEMPTS + 1):
            shown.begin()
            try:
                answer = await attempt()
            except ModelFailureError as failure:
                if failure.retryable:
                    breaker.failed()
                if shown.any and not shown.may_restart:
                    failure.fall_back = failure.retryable = False
                wait = (failure.wait_seconds or 0) + full_jitter(number)
                too_late = loop.time() + wait >= deadline
                if not failure.retryable or number == ATTEMPTS or too_late:
                    raise
                self._metrics.model_retries.labels(self._metrics.agent, model).inc()
                await asyncio.sleep(wait)
            else:
                breaker.succeeded()
                return answer
        raise AssertionError("unreachable")

    async def _once(self, model: str, ask: Ask, shown: "_Shown") -> Completion:
        loop, settings = asyncio.get_running_loop(), self._settings
        completion = Completion(model)
        began = loop.time()
        end = min(began + settings.model_total_seconds, ask.deadline)
        patience, waited_for = settings.model_first_token_seconds, "no first word"
        try:
            async with (
                asyncio.timeout_at(min(began + patience, end)) as limit,
                self._endpoint.answer("chat/completions", model, _chat_body(model, ask)) as answer,
                aclosing(chunks(answer)) as pieces,
            ):
                renewed = -1.0
                async for piece in pieces:
                    if shown.show(completion.add(piece)):
                        answer.gather(WORDS_SECONDS)
                    patience, waited_for = settings.model_idle_seconds, "silence, no next word"
                    now = loop.time()
                    if now > renewed:  # a timer for each word costs more than the word
                        renewed = now + _SLACK * patience
                        limit.reschedule(min(renewed + patience, end))
            completion.finish()
        except TimeoutError:
            self._wasted(model, completion)
            if loop.time() >= end:
                waited_for, patience = "no end", end - began
            raise ModelFailureError(f"{waited_for} within {patience:.0f} s") from None
        except GarbledStreamError as error:
            self._wasted(model, completion)
            raise ModelFailureError(f"unreadable answer: {error}") from None
        except ModelFailureError:
            self._wasted(model, completion)
            raise
        return completion

    async def _embed_once(
        self, model: str, texts: Sequence[str], patience: float, deadline: float
    ) -> list[list[float]]:
        body = {"model": model, "input": list(texts), "encoding_format": "float"}
        left = deadline - asyncio.get_running_loop().time()
        patience = min(patience, left)
        try:
            async with (
                asyncio.timeout(patience),
                self._endpoint.answer("embeddings", model, body) as answer,
            ):
                found = await whole(answer)
        except TimeoutError:
            raise ModelFailureError(f"no vectors within {patience:.0f} s") from None
        return _vectors(found, len(texts))

    def _wasted(self, model: str, completion: Completion) -> None:
        """Count what a broken answer cost: as told by the model, else estimated by its length."""
        lost = completion.completion_tokens or math.ceil(
            completion.characters / _CHARACTERS_PER_TOKEN
        )
        if lost:
            self._metrics.wasted_tokens.labels(self._metrics.agent, model).inc(lost)

    def _breaker(self, model: str) -> Breaker:
        return self._breakers.setdefault((self._endpoint.url, model), Breaker())


class _Shown:
    """Remembers whether any text has reached the caller, over all attempts of one step."""

    def __init__(
        self,
        on_text: Callable[[str], None] | None = None,
        on_restart: Callable[[int], None] | None = None,
    ) -> None:
        self._on_text = on_text
        self._on_restart = on_restart
        self._attempts = 0
        self.any = False

    @property
    def may_restart(self) -> bool:
        return self._on_restart is not None

    def begin(self) -> None:
        """Another attempt begins; tells that what was shown before is void."""
        self._attempts += 1
        if self.any and self._on_restart:
            self.any = False
            self._on_restart(self._attempts)

    def show(self, text: str) -> bool:
        """Whether these are the first words of this attempt."""
        if not (text and self._on_text):
            return False
        first, self.any = not self.any, True
        self._on_text(text)
        return first


def _chat_body(model: str, ask: Ask) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": model,
        "messages": list(ask.messages),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if ask.tools:
        body["tools"] = list(ask.tools)
        if not ask.may_call:
            body["tool_choice"] = "none"
    wanted = {
        "temperature": ask.temperature,
        "max_tokens": ask.max_tokens,
        "response_format": ask.response_format,
    }
    return body | {name: value for name, value in wanted.items() if value is not None}


def _vectors(found: object, wanted: int) -> list[list[float]]:
    """The vectors of an answer, in the order of the texts. Raises ModelFailureError."""
    try:
        data = sorted(found["data"], key=lambda each: int(each["index"]))  # type: ignore[index] # whatever is wrong is reported
        vectors = [[float(number) for number in each["embedding"]] for each in data]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFailureError(f"unreadable vectors ({type(error).__name__})") from None
    if len(vectors) != wanted:
        raise ModelFailureError(f"{len(vectors)} vectors for {wanted} texts")
    if len({len(vector) for vector in vectors}) > 1:
        raise ModelFailureError("vectors of different lengths")
    if not all(math.isfinite(number) for vector in vectors for number in vector):
        raise ModelFailureError("a vector holds a number that is not finite")
    return vectors
