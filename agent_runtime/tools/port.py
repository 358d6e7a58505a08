"""What the graph knows of a tool, whatever its type."""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from agent_runtime.agent.state import Source
from agents.tool import Tool


class Progress(Protocol):
    """Told how far a call is, out of how much, and a word on it."""

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None: ...


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
    session: str = ""
    deadline: float | None = None
    """Event-loop time at which every call ends, whatever its own limit."""
    tokens_left: int | None = None
    """What is left of the run's budget; handed on to other agents."""
    chain: tuple[str, ...] = ()
    """Agents that asked each other down to this call, the own one last: `namespace/name`."""
    progress: Progress | None = None
    """Where the caller wants to hear how far the call is."""
    key: str = ""
    """Idempotency key. Default: run and call."""
    tainted: bool = False
    """Whether content from outside may have asked for this call, and no person agreed to it."""

    @property
    def idempotency_key(self) -> str:
        return self.key or f"{self.run_id}:{self.call_id}"

    def seconds(self, limit: float) -> float:
        """`limit`, or what is left until the deadline if that is less."""
        if self.deadline is None:
            return limit
        return min(limit, max(0.0, self.deadline - asyncio.get_running_loop().time()))


@dataclass(frozen=True)
class ToolResult:
    """What a tool gave."""

    value: Any
    """JSON data; goes to the model marked as data. Text, if `error`."""
    error: bool = False
    sources: list[Source] = field(default_factory=list)
    content: Sequence[Mapping[str, Any]] = ()
    """The whole answer as blocks of MCP, where it holds more than `value` can: pictures, sound,
    resources. For clients that take such; models are not shown it."""
    degraded: str = ""
    """The part that was down, if that is why there is no result."""


class BoundTool(Protocol):
    """A tool ready to be called."""

    @property
    def tool(self) -> Tool: ...

    async def call(self, arguments: dict[str, Any], context: CallContext) -> ToolResult:
        """The result, an error among them; raises TransientToolError where trying again is safe,
        and RequestError where the request as a whole must fail. Cancelling ends the call."""
        ...


def version_of(tool: Tool) -> str:
    """Changes with anything that the tool's author (or its server) says about it."""
    text = json.dumps(tool.model_dump(mode="json", by_alias=True), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def as_data(name: str, result: ToolResult) -> str:
    """The tool message's content: one JSON object, which no output can break out of."""
    kind = "error" if result.error else "result"
    return json.dumps({"tool": name, "untrusted": True, kind: result.value}, ensure_ascii=False)
