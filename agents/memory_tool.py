"""Long-term memory as an author asks for it, and the tools that an agent gets by it."""

from typing import Annotated, Literal

from pydantic import Field

from agents.model import DocumentModel, Duration, seconds
from agents.tool_base import Parameter, ToolBase, ToolName

MemoryOperation = Literal["remember", "recall", "forget"]


class LongTermMemoryConfig(DocumentModel):
    """Facts that outlive a session; gives the agent the tools remember, recall and forget."""

    collection: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,254}$")] = (
        "agent_knowledge"
    )
    scope: Literal["user", "tenant"] = "user"
    """Whose facts are found: those of the person who asks, or all of the tenant's. A caller without
    a name has those of callers without a name."""
    top_k: Annotated[int, Field(ge=1, le=50)] = 5
    min_score: Annotated[float, Field(ge=-1, le=1)] = 0.3
    """Cosine similarity below which a fact is left out."""
    on_unavailable: Literal["degrade", "fail"] = "degrade"
    """While the store is down. degrade: the model is told so and answers without it; fail: the
    request ends with an error."""
    after_untrusted: Literal["ask", "allow"] = "ask"
    """allow: facts may be remembered without a person even after untrusted content was read, which
    could then speak to later requests."""
    timeout: Duration = "10s"


class MemoryTool(ToolBase):
    """One of the three tools; never written by an author."""

    type: Literal["memory"] = "memory"
    name: ToolName
    operation: MemoryOperation
    timeout: Duration = "10s"

    @property
    def timeout_seconds(self) -> float:
        return seconds(self.timeout)

    @property
    def idempotent(self) -> bool:
        """Facts are kept by their content, so that keeping or forgetting twice is once."""
        return True


def memory_tools(config: LongTermMemoryConfig) -> tuple[MemoryTool, ...]:
    """The tools of an agent with long-term memory."""
    return (
        MemoryTool(
            name="remember",
            operation="remember",
            description="Keep a fact for later conversations: one short, complete sentence. It can "
            "be recalled some seconds later.",
            parameters=(
                Parameter(
                    name="fact",
                    required=True,
                    description="The fact, understandable without this conversation.",
                    json_schema={"minLength": 1, "maxLength": 2000},
                ),
            ),
            side_effect="write",
            after_untrusted=config.after_untrusted,
            timeout=config.timeout,
        ),
        MemoryTool(
            name="recall",
            operation="recall",
            description="Search the facts that were kept in earlier conversations.",
            parameters=(Parameter(name="query", required=True, description="What to search for."),),
            timeout=config.timeout,
        ),
        MemoryTool(
            name="forget",
            operation="forget",
            description="Delete a kept fact for good, by the id that recall gave.",
            parameters=(
                Parameter(
                    name="id",
                    required=True,
                    description="The id of the fact.",
                    json_schema={"pattern": "^[0-9a-f]{64}$"},
                ),
            ),
            side_effect="write",
            after_untrusted=config.after_untrusted,
            timeout=config.timeout,
        ),
    )
