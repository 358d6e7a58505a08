"""The ways in which a model call fails, and what each one allows next."""

import re
from dataclasses import dataclass

from agent_runtime.agent.retry import retry_after
from agent_runtime.errors import RequestError

CONTEXT_TOO_LONG = "context_too_long"
"""Code of the RequestError of a conversation that is longer than the model reads."""
_TOO_LONG = re.compile(
    r"context_length_exceeded|maximum context length|max_model_len|context (length|window|size)"
    r"|prompt is too long|input is too long|too many (input )?tokens",
    re.IGNORECASE,
)
"""What OpenAI, vLLM, TGI, llama.cpp and Bedrock write; none of them has a status of its own."""


@dataclass
class ModelFailureError(Exception):
    """One failed attempt."""

    reason: str
    """In words that a caller may read."""
    status: int = 0
    """HTTP status of the model's answer; 0: there was none."""
    retryable: bool = True
    """The same model may do better next time."""
    fall_back: bool = True
    """Another model may do better."""
    wait_seconds: float | None = None
    """What Retry-After asked for."""
    too_long: bool = False
    """The conversation is longer than the model reads; a shorter one may do."""

    def __str__(self) -> str:
        return self.reason

    def to_request_error(self, model: str) -> RequestError:
        """What the caller of the agent is told."""
        if self.too_long:
            text = f"the conversation is too long for model {model!r}: {self.reason}"
            return RequestError(502, CONTEXT_TOO_LONG, text)
        if self.status in (400, 413, 422):
            text = f"model {model!r} refused the conversation: {self.reason}"
            return RequestError(502, "model_refused", text)
        if self.status == 429:
            text = f"model {model!r} is busy"
            return RequestError(503, "model_busy", text, retry_after_seconds=5)
        text = f"model {model!r} does not answer: {self.reason}"
        return RequestError(502, "model_unavailable", text, retry_after_seconds=5)


def from_status(status: int, again: str | None, body: str) -> ModelFailureError:
    """The failure that an HTTP error status stands for; `again` is the Retry-After header."""
    reason = f"status {status}: {' '.join(body.split())[:200]}" if body else f"status {status}"
    if status == 429 or status >= 500:
        wait, asked = retry_after(again)
        return ModelFailureError(reason, status, retryable=asked, wait_seconds=wait)
    if status == 408:
        return ModelFailureError(reason, status)
    too_long = status in (400, 413, 422) and bool(_TOO_LONG.search(body))
    unknown_model = status == 404
    return ModelFailureError(
        reason, status, retryable=False, fall_back=unknown_model, too_long=too_long
    )
