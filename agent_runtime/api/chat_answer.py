"""A run in the shapes of OpenAI's chat completions."""

import time
from typing import Any

import orjson

from agent_runtime.agent.result import RunResult
from agent_runtime.api.spoken import Spoken
from agent_runtime.api.sse import frame
from agent_runtime.errors import RequestError
from agent_runtime.runs.port import RunEvent

DONE = "data: [DONE]\n\n"


class ChatAnswer:
    """Writes one answer; every part of it carries the run's id."""

    def __init__(self, agent: str, run_id: str) -> None:
        self._agent = agent
        self._id = f"chatcmpl-{run_id}"
        self._created = int(time.time())
        self._spoken = Spoken()
        empty = orjson.dumps(self._chunk({"content": "\0"})).decode()
        # every word of every stream is framed, so the frame around it is written once
        self._before, self._after = empty.split(orjson.dumps("\0").decode())

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
            "usage": usage(result),
            "agentic": result.extension(),
        }

    def opening(self) -> str:
        return frame(self._chunk({"role": "assistant", "content": ""}))

    def told(self, event: RunEvent) -> str:
        """The frames for what happens on the way."""
        if event.type == "text.delta":
            return self._text(self._spoken.said(event.data["step"], event.data["text"]))
        if event.type == "step.restarted":
            self._spoken.restarted(event.data["step"])
        if event.type in ("step.restarted", "tool.started", "tool.finished"):
            return frame(self._chunk({}, agentic={"event": event.type, **event.data}))
        return ""

    def end(self, result: RunResult, *, with_usage: bool) -> str:
        """The last events of a stream: how it ended, what it cost, that it is over."""
        words = self._text(self._spoken.missing(result.text))
        last = frame(
            self._chunk({}, finish_reason=result.finish_reason, agentic=result.extension())
        )
        if with_usage:
            whole = self._frame("chat.completion.chunk")
            last += frame({**whole, "choices": [], "usage": usage(result)})
        return words + last + DONE

    def _text(self, text: str) -> str:
        if not text:
            return ""
        return f"data: {self._before}{orjson.dumps(text).decode()}{self._after}\n\n"

    def _chunk(
        self, delta: dict[str, Any], *, finish_reason: str | None = None, **more: Any
    ) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return {**self._frame("chat.completion.chunk"), "choices": [choice], **more}

    def _frame(self, kind: str) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._agent}


def failure(error: RequestError) -> str:
    """The event that ends a stream which broke."""
    return frame(error.openai())


def usage(result: RunResult) -> dict[str, Any]:
    return {
        "prompt_tokens": result.prompt_tokens,
        "prompt_tokens_details": {"cached_tokens": result.cached_tokens},
        "completion_tokens": result.completion_tokens,
        "total_tokens": result.prompt_tokens + result.completion_tokens,
    }
