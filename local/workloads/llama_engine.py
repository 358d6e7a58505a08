"""llama.cpp's server inside this process, on a port and behind a key that only it knows."""

import json
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from local.workloads.base_model_prompts import Prompt

SLOTS = 4
SECONDS = 120.0
QUIET = 1


@dataclass(frozen=True)
class Piece:
    """A piece of an answer; the last one has `finish` and the token counts."""

    text: str
    finish: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0


class EngineError(Exception):
    """llama.cpp refused or broke off; the text is its own first line."""


class LlamaEngine:
    """A loaded model. `complete` and `stream` run up to `SLOTS` requests at once, others wait."""

    def __init__(self, model: Path, *, host: str, context_tokens: int) -> None:
        # Waiting threads must sleep: spinning ones stop each other on a busy machine.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        import xllamacpp

        key = secrets.token_urlsafe(24)
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(model)
        parameters.hostnames = [host]
        parameters.port = 0
        parameters.api_keys = [key]
        parameters.n_ctx = context_tokens
        parameters.n_parallel = SLOTS
        parameters.kv_unified = True
        # Without the full window cache the fixed beginnings of the prompts could not be reused.
        parameters.swa_full = True
        # Otherwise finished conversations pile up in up to 8 GiB of memory.
        parameters.cache_ram_mib = 0
        parameters.n_ctx_checkpoints = 0
        parameters.cpuparams.n_threads = min(4, os.cpu_count() or 1)
        parameters.warmup = False
        parameters.endpoint_metrics = True
        parameters.verbosity = QUIET
        self._server = xllamacpp.Server(parameters)
        self._client = httpx.AsyncClient(
            base_url=self._server.listening_address,
            headers={"authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(SECONDS),
            # It closes idle connections at its own will; a fresh one costs 0.1 ms on loopback.
            limits=httpx.Limits(max_keepalive_connections=0),
            trust_env=False,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def metrics(self) -> str:
        """llama.cpp's own metrics, `llamacpp:*`."""
        answer = await self._client.get("/metrics")
        return answer.text if answer.is_success else ""

    async def warm(self, prompt: Prompt) -> None:
        """Read the prompt once, so that its beginning is in the cache."""
        await self.complete(prompt, temperature=0, tokens=1)

    async def complete(self, prompt: Prompt, *, temperature: float, tokens: int) -> Piece:
        """The whole answer to a prompt."""
        pieces = [
            piece async for piece in self.stream(prompt, temperature=temperature, tokens=tokens)
        ]
        last = pieces[-1]
        text = "".join(piece.text for piece in pieces)
        return Piece(text, last.finish, last.prompt_tokens, last.completion_tokens)

    async def stream(
        self, prompt: Prompt, *, temperature: float, tokens: int
    ) -> AsyncIterator[Piece]:
        """The answer as it is made; ends with a piece that has `finish`, or in EngineError."""
        body = {
            "prompt": prompt.text,
            "n_predict": max(1, min(tokens, prompt.tokens)),
            "temperature": temperature,
            "stop": list(prompt.stop),
            "cache_prompt": True,
            "stream": True,
        }
        if prompt.grammar:
            body["grammar"] = prompt.grammar
        try:
            async with self._client.stream("POST", "/completion", json=body) as answer:
                if not answer.is_success:
                    raise EngineError(_reason(await answer.aread()))
                async for line in answer.aiter_lines():
                    if line.startswith("data: "):
                        yield _piece(json.loads(line.removeprefix("data: ")))
                    elif line.startswith("error: "):
                        raise EngineError(_reason(line.removeprefix("error: ").encode()))
        except (httpx.HTTPError, ValueError) as error:
            raise EngineError(f"{type(error).__name__}: {error}") from error


def _piece(event: dict[str, Any]) -> Piece:
    if "error" in event:
        raise EngineError(str(event["error"].get("message", "unknown"))[:200])
    if not event.get("stop"):
        return Piece(event.get("content", ""))
    return Piece(
        event.get("content", ""),
        "length" if event.get("stop_type") == "limit" else "stop",
        int(event.get("tokens_evaluated", 0)),
        int(event.get("tokens_predicted", 0)),
    )


def _reason(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])[:200]
    except (ValueError, KeyError, TypeError):
        return body[:200].decode("utf-8", "replace") or "no reason given"
