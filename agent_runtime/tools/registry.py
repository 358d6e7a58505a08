"""The tools of one agent, bound to what they need and looked up by name."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import httpx

from agent_runtime.memory.ports import LongTermMemory
from agent_runtime.tools.address_guard import AddressGuard
from agent_runtime.tools.api_call import ApiCall, tool_http_client
from agent_runtime.tools.arguments import function_of
from agent_runtime.tools.person import Person
from agent_runtime.tools.port import BoundTool
from agent_runtime.tools.retrieval import Embedder, Retrieval
from agent_runtime.tools.sandbox import Sandbox
from agents.tool import ApiTool, CodeTool, RetrievalTool, Tool


class UnknownToolError(LookupError):
    """A name that the model made up; the text tells it what there is."""


class ToolRegistry:
    """What the model may call."""

    def __init__(self, tools: Iterable[BoundTool], *, http: httpx.AsyncClient | None) -> None:
        self._tools = {bound.tool.name: bound for bound in tools}
        self._http = http

    @property
    def functions(self) -> list[dict[str, Any]]:
        """OpenAI function definitions, in the document's order."""
        return [function_of(bound.tool) for bound in self._tools.values()]

    @property
    def pauses(self) -> bool:
        """Whether some tool can make a run wait for a person."""
        return any(
            isinstance(bound, Person) or bound.tool.needs_approval for bound in self._tools.values()
        )

    def find(self, name: str) -> BoundTool:
        if name in self._tools:
            return self._tools[name]
        near = get_close_matches(name, self._tools, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(self._tools)}"
        raise UnknownToolError(f"there is no tool {name[:64]!r}; {hint}")

    async def close(self) -> None:
        for bound in self._tools.values():
            if isinstance(bound, Sandbox):
                await bound.close()
        if self._http:
            await self._http.aclose()


def bind(
    tools: Iterable[Tool],
    *,
    guard: AddressGuard,
    secrets_dir: Path,
    memory: LongTermMemory,
    embedder: Embedder,
) -> ToolRegistry:
    """The registry of an agent's resolved tools."""
    listed = list(tools)
    http = tool_http_client() if any(isinstance(tool, ApiTool) for tool in listed) else None

    def bound(tool: Tool) -> BoundTool:
        if isinstance(tool, ApiTool) and http:
            return ApiCall(tool, guard=guard, http=http, secrets_dir=secrets_dir)
        if isinstance(tool, RetrievalTool):
            return Retrieval(tool, memory=memory, embedder=embedder)
        if isinstance(tool, CodeTool):
            return Sandbox(tool)
        return Person(tool)

    return ToolRegistry([bound(tool) for tool in listed], http=http)
