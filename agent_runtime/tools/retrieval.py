"""Tools that search the tenant's documents."""

import asyncio
import logging
from typing import Any, Protocol

from agent_runtime.agent.state import Source
from agent_runtime.errors import RequestError
from agent_runtime.memory.ports import (
    KnowledgeRequiredError,
    LongTermMemory,
    MemoryUnavailableError,
)
from agent_runtime.tools.port import CallContext, ToolResult
from agents.tool import RetrievalTool

MAX_QUERY_CHARACTERS = 8000
_log = logging.getLogger(__name__)


class Embedder(Protocol):
    """Turns text into a vector of the collection's dimension."""

    async def embed(self, text: str) -> list[float]: ...


class Retrieval:
    """A search; the tenant filter comes from the caller's identity, never from the model."""

    def __init__(self, tool: RetrievalTool, *, memory: LongTermMemory, embedder: Embedder) -> None:
        self._tool = tool
        self._memory = memory
        self._embedder = embedder

    @property
    def tool(self) -> RetrievalTool:
        return self._tool

    async def call(self, arguments: dict[str, Any], context: CallContext) -> ToolResult:
        query = str(arguments["query"])[:MAX_QUERY_CHARACTERS]
        config = self._tool.config
        try:
            async with asyncio.timeout(context.seconds(self._tool.timeout_seconds)):
                vector = await self._embedder.embed(query)
                hits = await self._memory.search(
                    config.collection,
                    vector,
                    tenant=context.tenant,
                    top_k=config.top_k,
                    # facts that other people told the agent may lie in the same collection
                    only={"kind": "document"},
                    likely=True,
                )
        except (MemoryUnavailableError, RequestError, TimeoutError) as error:
            fields = {"tool": self._tool.name, "reason": str(error) or type(error).__name__}
            _log.warning("search failed", extra={"fields": fields})
            if config.on_unavailable == "fail":
                raise KnowledgeRequiredError(self._tool.name) from error
            text = "the document search is down; this does not mean that nothing was found"
            return ToolResult(text, error=True, degraded=f"retrieval:{self._tool.name}")
        kept = [hit for hit in hits if hit.score >= config.min_score]
        if not kept:
            return ToolResult({"results": []})
        results = [
            {
                "source": hit.document,
                "title": hit.title,
                "content": hit.content,
                "score": round(hit.score, 4),
            }
            for hit in kept
        ]
        sources = [
            Source(
                document=hit.document,
                title=hit.title,
                chunk=hit.chunk,
                score=round(hit.score, 4),
                collection=config.collection,
            )
            for hit in kept
        ]
        return ToolResult({"results": results}, sources=sources)
