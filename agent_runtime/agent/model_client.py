"""One client for every OpenAI-compatible model behind the gateway."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx

from agent_runtime.agent.breaker import Breaker
from agent_runtime.agent.completion import Completion, GarbledStreamError, Message
from agent_runtime.agent.model_failure import ModelFailureError, from_status
from agent_runtime.agent.retry import ATTEMPTS, full_jitter
from agent_runtime.secret_file import SecretFile
from agent_runtime.settings import Settings
from agent_runtime.telemetry.metrics import Metrics
from agent_runtime.telemetry.tracing import trace_headers

CONNECT_SECONDS = 5.0
_MAX_EVENT = 1_000_000


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
    deadline: float = float("inf")
    """Event-loop time at which waiting ends."""


class ModelClient:
    """Retries, fallbacks and circuit breakers live here and nowhere else."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._key = SecretFile(settings.model_api_key_file) if settings.model_api_key_file else None
        self._breakers: dict[str, Breaker] = {}
        self._http = httpx.AsyncClient(
            base_url=settings.model_base_url.rstrip("/") + "/",
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
            trust_env=False,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def complete(self, ask: Ask, on_text: Callable[[str], None] | None = None) -> Completion:
        """The answer of the first model that gives one.

        `on_text` gets the text as it comes; once it got some, a broken stream is not restarted,
        since words that were shown can't be taken back. Raises RequestError.
        """
        failure = ModelFailureError("resting after repeated failures")
        for position, model in enumerate(ask.models):
            if position:
                self._metrics.fallbacks.labels(self._metrics.agent, model).inc()
            if not self._breaker(model).admits():
                continue
            try:
                return await self._persist(model, ask, on_text)
            except ModelFailureError as error:
                failure = error
                if not failure.fall_back:
                    break
        raise failure.to_request_error(ask.models[0])

    async def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """One vector for each text, in order. Raises RequestError."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._embed_once(model, texts)
            except ModelFailureError as failure:
                if not failure.retryable or attempt == ATTEMPTS:
                    raise failure.to_request_error(model) from None
                await asyncio.sleep(failure.wait_seconds or full_jitter(attempt))
        raise AssertionError("unreachable")

    async def _persist(
        self, model: str, ask: Ask, on_text: Callable[[str], None] | None
    ) -> Completion:
        """Up to ATTEMPTS tries of one model, within the deadline."""
        loop = asyncio.get_running_loop()
        breaker = self._breaker(model)
        attempt = 0
        while True:
            attempt += 1
            shown = _Shown(on_text)
            try:
                completion = await self._once(model, ask, shown)
            except ModelFailureError as failure:
                if failure.retryable:
                    breaker.failed()
                if shown.any:
                    failure.fall_back = failure.retryable = False
                wait = failure.wait_seconds or full_jitter(attempt)
                too_late = loop.time() + wait >= ask.deadline
                if not failure.retryable or attempt == ATTEMPTS or too_late:
                    raise
                self._metrics.model_retries.labels(self._metrics.agent, model).inc()
                await asyncio.sleep(wait)
            else:
                breaker.succeeded()
                return completion

    async def _once(self, model: str, ask: Ask, shown: "_Shown") -> Completion:
        total = self._settings.model_total_seconds
        left = min(total, ask.deadline - asyncio.get_running_loop().time())
        completion = Completion(model)
        try:
            async with asyncio.timeout(left):
                request = self._request("chat/completions", model, _chat_body(model, ask))
                async with aclosing(self._chunks(request)) as chunks:
                    async for chunk in chunks:
                        shown.show(completion.add(chunk))
        except TimeoutError as error:
            raise ModelFailureError(str(error) or f"no end within {left:.0f} s") from None
        except httpx.TransportError as error:
            raise ModelFailureError(f"connection failed ({type(error).__name__})") from None
        except GarbledStreamError as error:
            raise ModelFailureError(f"unreadable answer: {error}") from None
        if not completion.finish_reason:
            raise ModelFailureError("the answer broke off")
        return completion

    async def _chunks(self, request: httpx.Request) -> AsyncGenerator[object, None]:
        """The chunks of a streamed answer, or the one chunk of an answer that is not streamed."""
        first = self._settings.model_first_token_seconds
        response = await _within(first, self._http.send(request, stream=True), "no answer")
        try:
            if response.status_code != 200:
                body = await _within(first, response.aread(), "no error body")
                raise from_status(response, body.decode("utf-8", "replace"))
            if "text/event-stream" not in response.headers.get("content-type", ""):
                yield _decoded((await response.aread()).decode("utf-8", "replace"))
                return
            lines = response.aiter_lines()
            patience, name = first, "no first word"
            while (line := await _within(patience, _next(lines), name)) is not None:
                if not line.startswith("data:"):
                    continue
                data = line[5:].strip()
                if data == "[DONE]":
                    return
                yield _decoded(data)
                patience, name = self._settings.model_idle_seconds, "fell silent"
        finally:
            await response.aclose()

    async def _embed_once(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        body = {"model": model, "input": list(texts), "encoding_format": "float"}
        request = self._request("embeddings", model, body)
        try:
            async with asyncio.timeout(self._settings.model_first_token_seconds):
                response = await self._http.send(request)
        except (TimeoutError, httpx.TransportError) as error:
            raise ModelFailureError(f"connection failed ({type(error).__name__})") from None
        if response.status_code != 200:
            raise from_status(response, response.text)
        try:
            data = sorted(response.json()["data"], key=lambda each: int(each["index"]))
            vectors = [[float(number) for number in each["embedding"]] for each in data]
        except (ValueError, KeyError, TypeError) as error:
            raise ModelFailureError(f"unreadable vectors ({type(error).__name__})") from None
        if len(vectors) != len(texts):
            raise ModelFailureError(f"{len(vectors)} vectors for {len(texts)} texts")
        return vectors

    def _request(self, path: str, model: str, body: dict[str, Any]) -> httpx.Request:
        headers = {"x-model-id": model, **trace_headers()}
        if self._key:
            headers["authorization"] = f"Bearer {self._key.read()}"
        return self._http.build_request("POST", path, json=body, headers=headers)

    def _breaker(self, model: str) -> Breaker:
        return self._breakers.setdefault(model, Breaker())


class _Shown:
    """Remembers whether any text has reached the caller."""

    def __init__(self, on_text: Callable[[str], None] | None) -> None:
        self._on_text = on_text
        self.any = False

    def show(self, text: str) -> None:
        if text and self._on_text:
            self.any = True
            self._on_text(text)


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
    if ask.temperature is not None:
        body["temperature"] = ask.temperature
    if ask.max_tokens is not None:
        body["max_tokens"] = ask.max_tokens
    return body


async def _within(seconds: float, awaitable: Any, name: str) -> Any:
    try:
        async with asyncio.timeout(seconds):
            return await awaitable
    except TimeoutError:
        raise TimeoutError(f"{name} within {seconds:.0f} s") from None


async def _next(lines: AsyncIterator[str]) -> str | None:
    line = await anext(lines, None)
    if line is not None and len(line) > _MAX_EVENT:
        raise GarbledStreamError("an event is too long")
    return line


def _decoded(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        raise GarbledStreamError("not JSON") from None
