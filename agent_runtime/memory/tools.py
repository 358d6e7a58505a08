"""The tools remember, recall and forget of an agent with long-term memory."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from agent_runtime.errors import RequestError
from agent_runtime.memory.facts import Embedder, Facts, Owner
from agent_runtime.memory.ports import (
    KnowledgeRequiredError,
    LongTermMemory,
    MemoryUnavailableError,
)
from agent_runtime.telemetry.metrics import Metrics
from agent_runtime.tools.port import CallContext, ToolResult
from agents.document import AgentDocument
from agents.memory_tool import LongTermMemoryConfig, MemoryTool, memory_tools

MAX_QUERY_CHARACTERS = 8000
DOWN = "long-term memory is down; this does not mean that nothing was kept"

_log = logging.getLogger(__name__)


class FactTool:
    """One of the three; whose facts it touches comes from the verified caller, never the model."""

    def __init__(
        self, tool: MemoryTool, facts: Facts, config: LongTermMemoryConfig, agent: str
    ) -> None:
        self._tool = tool
        self._facts = facts
        self._config = config
        self._agent = agent

    @property
    def tool(self) -> MemoryTool:
        return self._tool

    async def call(self, arguments: dict[str, Any], context: CallContext) -> ToolResult:
        user = context.user if self._config.scope == "user" else None
        owner = Owner.of(context.tenant, self._agent, user)
        try:
            async with asyncio.timeout(self._tool.timeout_seconds):
                return await self._do(owner, arguments)
        except (MemoryUnavailableError, RequestError, TimeoutError) as error:
            fields = {"tool": self._tool.name, "reason": str(error) or type(error).__name__}
            _log.warning("memory failed", extra={"fields": fields})
            if self._config.on_unavailable == "fail":
                raise KnowledgeRequiredError(self._tool.name) from error
            return ToolResult(DOWN, error=True, degraded=f"memory:{self._tool.name}")

    async def _do(self, owner: Owner, arguments: dict[str, Any]) -> ToolResult:
        if self._tool.operation == "remember":
            if self._facts.remember(owner, str(arguments["fact"])):
                return ToolResult({"status": "accepted"})
            return ToolResult("memory is busy, the fact was not kept; try again later", error=True)
        if self._tool.operation == "forget":
            deleted = await self._facts.forget(owner, [str(arguments["id"])])
            return ToolResult({"forgotten": deleted})
        query = str(arguments["query"])[:MAX_QUERY_CHARACTERS]
        hits = await self._facts.recall(owner, query, top_k=self._config.top_k)
        kept = [
            {
                "id": hit.id,
                "fact": hit.content,
                "kept": _date(hit.metadata.get("created")),
                "score": round(hit.score, 4),
            }
            for hit in hits
            if hit.score >= self._config.min_score
        ]
        return ToolResult({"facts": kept})


def fact_tools(config: LongTermMemoryConfig, facts: Facts, agent: str) -> list[FactTool]:
    """The tools of one agent, for `tools.registry.bind(extra=...)`."""
    return [FactTool(tool, facts, config, agent) for tool in memory_tools(config)]


@dataclass(frozen=True)
class AssembledFacts:
    """What an agent with long-term memory is made of; nothing for one without."""

    facts: Facts | None = None
    tools: tuple[FactTool, ...] = ()

    async def close(self) -> None:
        """Store what waits; before the store and the model client are closed."""
        if self.facts:
            await self.facts.close()


def assemble_facts(
    document: AgentDocument, memory: LongTermMemory, embedder: Embedder, metrics: Metrics
) -> AssembledFacts:
    """The long-term memory that a document asks for."""
    config = document.spec.memory.long_term if document.spec.memory else None
    if config is None:
        return AssembledFacts()
    facts = Facts(memory, embedder, metrics, collection=config.collection)
    return AssembledFacts(facts, tuple(fact_tools(config, facts, document.metadata.name)))


def _date(created: object) -> str:
    seconds = created if isinstance(created, int) else 0
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
