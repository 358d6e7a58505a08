"""What a model answered, put together from the pieces of its stream."""

from dataclasses import dataclass, field
from typing import Any

from agent_runtime.agent.call_assembly import CallAssembly, GarbledStreamError

__all__ = ["MAX_CHARACTERS", "Completion", "GarbledStreamError", "Message"]

MAX_CHARACTERS = 1_000_000
"""Longest answer that is read; a model beyond it is broken."""

Message = dict[str, Any]
"""A chat message in OpenAI's form."""


@dataclass
class Completion:
    """One answer; `pieces` are joined on reading."""

    model: str
    """The model that was asked for, until the answer names the one that gave it."""
    finish_reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    """Prompt tokens that the model had seen before; part of `prompt_tokens`."""
    asked: str = ""
    """The model that was asked for."""
    characters: int = 0
    """Length of text and tool calls so far."""
    _pieces: list[str] = field(default_factory=list)
    _calls: CallAssembly = field(default_factory=CallAssembly)
    _complete: bool = False

    def __post_init__(self) -> None:
        self.asked = self.asked or self.model

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def add(self, chunk: object) -> str:
        """Take one chunk of a stream (or a whole answer); returns the text that it adds.

        An empty chunk says that the stream is complete. Raises GarbledStreamError.
        """
        if not isinstance(chunk, dict):
            raise GarbledStreamError("a chunk is not an object")
        if not chunk:
            self._complete = True
            return ""
        if chunk.get("error"):
            raise GarbledStreamError("the model reported an error in its stream")
        self._usage(chunk.get("usage"))
        model = chunk.get("model")
        if isinstance(model, str) and model:
            self.model = model
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices:
            return ""
        return self._choice(choices[0])

    def finish(self) -> None:
        """Check a stream that has ended. Raises GarbledStreamError."""
        if not self.finish_reason:
            if not self._complete:
                raise GarbledStreamError("the answer broke off")
            self.finish_reason = "stop"
        self._calls.check()

    def retell(self, text: str) -> None:
        """Put another text in place of what the model said."""
        self._pieces = [text]

    def message(self) -> Message:
        """The assistant message to append to the conversation."""
        calls = self._calls.calls()
        message: Message = {"role": "assistant", "content": self.text or (None if calls else "")}
        if calls:
            message["tool_calls"] = calls
        return message

    def _choice(self, choice: object) -> str:
        if not isinstance(choice, dict):
            raise GarbledStreamError("a choice is not an object")
        reason = choice.get("finish_reason")
        if reason is not None and not isinstance(reason, str):
            raise GarbledStreamError("a finish reason is not text")
        self.finish_reason = reason or self.finish_reason
        delta = choice.get("delta") or choice.get("message") or {}
        if not isinstance(delta, dict):
            raise GarbledStreamError("a delta is not an object")
        parts = delta.get("tool_calls") or []
        if not isinstance(parts, list):
            raise GarbledStreamError("tool calls are not a list")
        for part in parts:
            self._grow(self._calls.add(part))
        return self._text(delta.get("content"))

    def _text(self, content: object) -> str:
        if isinstance(content, list):
            content = _joined(content)
        if content is None:
            return ""
        if not isinstance(content, str):
            raise GarbledStreamError("content is not text")
        self._grow(len(content))
        self._pieces.append(content)
        return content

    def _grow(self, length: int) -> None:
        self.characters += length
        if self.characters > MAX_CHARACTERS:
            raise GarbledStreamError(f"longer than {MAX_CHARACTERS} characters")

    def _usage(self, usage: object) -> None:
        if not isinstance(usage, dict):
            return
        self.prompt_tokens = _count(usage.get("prompt_tokens"), self.prompt_tokens)
        self.completion_tokens = _count(usage.get("completion_tokens"), self.completion_tokens)
        details = usage.get("prompt_tokens_details")
        if isinstance(details, dict):
            cached = _count(details.get("cached_tokens"), self.cached_tokens)
            self.cached_tokens = min(cached, self.prompt_tokens)


def _count(value: object, otherwise: int) -> int:
    return value if type(value) is int and value >= 0 else otherwise


def _joined(parts: list[Any]) -> str:
    """The text of content that comes in parts; parts that are not text are left out."""
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))
