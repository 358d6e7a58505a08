"""Tool calls put together from the fragments in which models stream them."""

import json
from typing import Any

MAX_CALLS = 128


class GarbledStreamError(ValueError):
    """The model's stream is not what the protocol promises."""


class CallAssembly:
    """The tool calls of one answer.

    OpenAI gives each call an `index` and sends its id and name once; other servers leave the index
    out, use index 0 for several calls, or repeat the name in every fragment.
    """

    def __init__(self) -> None:
        self._calls: list[dict[str, Any]] = []
        self._by_index: dict[int, dict[str, Any]] = {}

    def add(self, part: object) -> int:
        """Take one fragment; the number of characters that it adds. Raises GarbledStreamError."""
        if not isinstance(part, dict) or not isinstance(part.get("function"), dict):
            raise GarbledStreamError("a tool call is not an object")
        call = self._call_of(part)
        call["id"] = call["id"] or _text(part.get("id"))
        function = call["function"]
        name = _text(part["function"].get("name"))
        if name == function["name"]:
            name = ""
        arguments = part["function"].get("arguments")
        # some servers give the arguments unserialised
        arguments = json.dumps(arguments) if isinstance(arguments, dict) else _text(arguments)
        function["name"] += name
        function["arguments"] += arguments
        return len(name) + len(arguments)

    def check(self) -> None:
        """Raises GarbledStreamError where a call lacks its name."""
        if any(not call["function"]["name"] for call in self._calls):
            raise GarbledStreamError("a tool call without a name")

    def calls(self) -> list[dict[str, Any]]:
        """The calls in the order in which they began, each with an id of its own."""
        used: set[str] = set()
        for position, call in enumerate(self._calls):
            if not call["id"] or call["id"] in used:
                call["id"] = f"call_{position}"
            used.add(call["id"])
        return list(self._calls)

    def _call_of(self, part: dict[str, Any]) -> dict[str, Any]:
        index, call_id = part.get("index"), _text(part.get("id"))
        if index is None:
            known = [call for call in self._calls if call["id"] == call_id]
            if call_id:
                return known[0] if known else self._begin()
            last = self._calls[-1] if self._calls else None
            named_again = last and last["function"]["arguments"] and part["function"].get("name")
            return self._begin() if last is None or named_again else last
        if not isinstance(index, int) or not 0 <= index < MAX_CALLS:
            raise GarbledStreamError(f"tool call index {index!r:.20}")
        current = self._by_index.get(index)
        another = bool(current and call_id and current["id"] and call_id != current["id"])
        if current is None or (another and part["function"].get("name")):
            current = self._by_index[index] = self._begin()
        return current

    def _begin(self) -> dict[str, Any]:
        if len(self._calls) == MAX_CALLS:
            raise GarbledStreamError(f"more than {MAX_CALLS} tool calls")
        call = {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        self._calls.append(call)
        return call


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
