"""The tools of one moment: what a model may call, looked up by name."""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from agent_runtime.tools.arguments import function_of
from agent_runtime.tools.policy import taints
from agent_runtime.tools.port import BoundTool, version_of
from agents.tool import HumanTool


class UnknownToolError(LookupError):
    """A name that the model made up; the text tells it what there is."""


class ToolSet:
    """Tools that never change; a run keeps the set that it began with."""

    def __init__(self, tools: Iterable[BoundTool]) -> None:
        self._tools = {bound.tool.name: bound for bound in tools}

    @cached_property
    def functions(self) -> list[dict[str, Any]]:
        """OpenAI function definitions, in the document's order."""
        return [function_of(bound.tool) for bound in self._tools.values()]

    @cached_property
    def pins(self) -> dict[str, str]:
        """The version of each tool; plain data, to find the same tools on another replica."""
        return {name: version_of(bound.tool) for name, bound in self._tools.items()}

    @property
    def tools(self) -> list[BoundTool]:
        return list(self._tools.values())

    @property
    def pauses(self) -> bool:
        """Whether some tool can make a run wait for a person."""
        return any(
            isinstance(bound.tool, HumanTool)
            or bound.tool.needs_approval
            or (bound.tool.effect != "read" and bound.tool.after_untrusted == "ask")
            for bound in self._tools.values()
        )

    @cached_property
    def tainting(self) -> bool:
        """Whether some tool brings in content from outside."""
        return any(taints(bound.tool) for bound in self._tools.values())

    def find(self, name: str) -> BoundTool:
        """Raises UnknownToolError."""
        if name in self._tools:
            return self._tools[name]
        near = get_close_matches(name, self._tools, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(self._tools)}"
        raise UnknownToolError(f"there is no tool {name[:64]!r}; {hint}")
