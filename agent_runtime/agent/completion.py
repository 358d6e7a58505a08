"""What a model answered, put together from the pieces of its stream."""

import json
from dataclasses import dataclass, field
from typing import Any

MAX_CHARACTERS = 1_000_000
"""Longest answer that is read; a model beyond it is broken."""

Message = dict[str, Any]
"""A chat message in OpenAI's form."""


class GarbledStreamError(ValueError):
    """The model's stream is not what the protocol promises."""


@dataclass
class Completion:
    """One answer; `pieces` are joined on reading."""

    model: str
    finish_reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    _pieces: list[str] = field(default_factory=list)
    _calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    _length: int = 0

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def add(self, chunk: object) -> str:
        """Take one chunk of a stream (or a whole answer); returns the text that it adds."""
        if not isinstance(chunk, dict):
            raise GarbledStreamError("a chunk is not an object")
        if "error" in chunk:
            raise GarbledStreamError("the model reported an error in its stream")
        self._usage(chunk.get("usage"))
        model = chunk.get("model")
        if isinstance(model, str) and model:
            self.model = model
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices:
            return ""
        choice = choices[0]
        if not isinstance(choice, dict):
            raise GarbledStreamError("a choice is not an object")
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        delta = choice.get("delta") or choice.get("message") or {}
        if not isinstance(delta, dict):
            raise GarbledStreamError("a delta is not an object")
        for position, call in enumerate(delta.get("tool_calls") or []):
            self._call(position, call)
        return self._text(delta.get("content"))

    def message(self) -> Message:
        """The assistant message to append to the conversation."""
        calls = [self._calls[index] for index in sorted(self._calls)]
        message: Message = {"role": "assistant", "content": self.text or (None if calls else "")}
        if calls:
            message["tool_calls"] = calls
        return message

    def _text(self, content: object) -> str:
        if content is None:
            return ""
        if not isinstance(content, str):
            raise GarbledStreamError("content is not text")
        self._grow(len(content))
        self._pieces.append(content)
        return content

    def _call(self, position: int, part: object) -> None:
        if not isinstance(part, dict) or not isinstance(part.get("function"), dict):
            raise GarbledStreamError("a tool call is not an object")
        index = part.get("index", position)
        if not isinstance(index, int) or not 0 <= index < 128:
            raise GarbledStreamError(f"tool call index {index!r}")
        empty = {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        call = self._calls.setdefault(index, empty)
        call["id"] = part.get("id") or call["id"] or f"call_{index}"
        for name in ("name", "arguments"):
            piece = part["function"].get(name)
            if isinstance(piece, dict):  # some servers give the arguments unserialised
                piece = json.dumps(piece)
            if isinstance(piece, str):
                self._grow(len(piece))
                call["function"][name] += piece

    def _grow(self, length: int) -> None:
        self._length += length
        if self._length > MAX_CHARACTERS:
            raise GarbledStreamError(f"longer than {MAX_CHARACTERS} characters")

    def _usage(self, usage: object) -> None:
        if not isinstance(usage, dict):
            return
        for name in ("prompt_tokens", "completion_tokens"):
            value = usage.get(name)
            if isinstance(value, int) and value >= 0:
                setattr(self, name, value)
