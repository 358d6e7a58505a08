"""A run's result in the shapes of OpenAI's chat completions."""

import json
import time
import uuid
from typing import Any

from agent_runtime.agent.result import RunResult
from agent_runtime.errors import RequestError


class ChatAnswer:
    """Writes one answer; every part of it carries the same id."""

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._id = f"chatcmpl-{uuid.uuid4().hex}"
        self._created = int(time.time())

    def whole(self, result: RunResult) -> dict[str, Any]:
        """The body of an answer that is not streamed."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": result.text, "refusal": None},
            "finish_reason": result.finish_reason,
            "logprobs": None,
        }
        return {
            **self._frame("chat.completion"),
            "choices": [choice],
            "usage": _usage(result),
            "agentic": result.extension(),
        }

    def opening(self) -> str:
        return self._event({"role": "assistant", "content": ""})

    def text(self, text: str) -> str:
        return self._event({"content": text})

    def end(self, result: RunResult, *, usage: bool) -> str:
        """The last events of a stream: how it ended, what it cost, that it is over."""
        last = self._event({}, finish_reason=result.finish_reason, agentic=result.extension())
        if usage:
            frame = self._frame("chat.completion.chunk")
            last += _framed({**frame, "choices": [], "usage": _usage(result)})
        return last + "data: [DONE]\n\n"

    def _event(
        self, delta: dict[str, Any], *, finish_reason: str | None = None, **more: Any
    ) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return _framed({**self._frame("chat.completion.chunk"), "choices": [choice], **more})

    def _frame(self, kind: str) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._agent}


def failure(error: RequestError) -> str:
    """The event that ends a stream which broke."""
    return _framed(error.openai())


def _framed(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


def _usage(result: RunResult) -> dict[str, int]:
    return {
        "prompt_tokens": result.prompt_tokens,
        "completion_tokens": result.completion_tokens,
        "total_tokens": result.prompt_tokens + result.completion_tokens,
    }
