"""A message of a response while the model still speaks."""

from typing import Any, Literal

Told = tuple[str, dict[str, Any]]
"""An event's type and its fields, without the sequence number."""


class OpenMessage:
    """One output item of type `message` with one part of text."""

    def __init__(self, index: int, item_id: str, step: int) -> None:
        self.step = step
        self._index = index
        self._id = item_id
        self._said: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._said)

    def item(self, status: Literal["in_progress", "completed", "incomplete"]) -> dict[str, Any]:
        begun = status != "in_progress"
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": [_part(self.text)] if begun else [],
        }

    def opening(self) -> list[Told]:
        item = {"output_index": self._index, "item": self.item("in_progress")}
        return [
            ("response.output_item.added", item),
            ("response.content_part.added", {**self._place(), "part": _part("")}),
        ]

    def said(self, text: str) -> Told:
        self._said.append(text)
        return "response.output_text.delta", {**self._place(), "delta": text, "logprobs": []}

    def closing(self, status: Literal["completed", "incomplete"]) -> list[Told]:
        text = self.text
        item = {"output_index": self._index, "item": self.item(status)}
        return [
            ("response.output_text.done", {**self._place(), "text": text, "logprobs": []}),
            ("response.content_part.done", {**self._place(), "part": _part(text)}),
            ("response.output_item.done", item),
        ]

    def _place(self) -> dict[str, Any]:
        return {"item_id": self._id, "output_index": self._index, "content_index": 0}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
