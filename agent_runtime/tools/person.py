"""Tools that ask a person."""

from typing import Any

from agent_runtime.tools.port import CallContext, ToolResult
from agents.tool import HumanTool, Tool


class Person:
    """The graph pauses before this tool is called and hands on the person's answer."""

    def __init__(self, tool: Tool) -> None:
        if not isinstance(tool, HumanTool):
            raise TypeError(f"tool {tool.name!r} is of type {tool.type}, not human")
        self._tool = tool

    @property
    def tool(self) -> HumanTool:
        return self._tool

    async def call(self, arguments: dict[str, Any], context: CallContext) -> ToolResult:
        del arguments
        return ToolResult({"approved": True, "answer": context.answer})
