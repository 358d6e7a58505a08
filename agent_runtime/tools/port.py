"""What the graph knows of a tool, whatever its type."""

import json
from dataclasses import dataclass, field
from typing import Any, Protocol

from agent_runtime.agent.state import Source
from agents.tool import Tool


class TransientToolError(Exception):
    """The tool may do better at once; only raised when nothing can have happened twice."""


@dataclass(frozen=True)
class CallContext:
    """On whose behalf a tool is called; made by code from the verified caller."""

    tenant: str
    user: str
    run_id: str
    call_id: str
    answer: str = ""
    """What a person said, where the call waited for one."""


@dataclass(frozen=True)
class ToolResult:
    """What a tool gave."""

    value: Any
    """JSON data; goes to the model marked as data. Text, if `error`."""
    error: bool = False
    sources: list[Source] = field(default_factory=list)
    degraded: str = ""
    """The part that was down, if that is why there is no result."""


class BoundTool(Protocol):
    """A tool ready to be called."""

    @property
    def tool(self) -> Tool: ...

    async def call(self, arguments: dict[str, Any], context: CallContext) -> ToolResult: ...


def as_data(name: str, result: ToolResult) -> str:
    """The tool message's content: one JSON object, which no output can break out of."""
    kind = "error" if result.error else "result"
    return json.dumps({"tool": name, "untrusted": True, kind: result.value}, ensure_ascii=False)
