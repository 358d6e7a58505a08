"""What a tool call may do, decided by code: no text that a model reads or writes changes it.

A run is tainted once it holds content that somebody from outside may have written. From then on
nothing is changed without a person ("Rule of Two": untrusted input, private data and side effects
never meet in one run without one).
"""

from dataclasses import dataclass
from typing import Literal

from agents.memory_tool import MemoryTool
from agents.tool import (
    AgentTool,
    ApiTool,
    CodeTool,
    HumanTool,
    McpFunctionTool,
    RetrievalTool,
    Tool,
)


@dataclass(frozen=True)
class Verdict:
    """Whether a call is made at once, or a person is asked first; `reason` is shown to the person
    and written to the audit trail."""

    action: Literal["call", "ask"]
    reason: str = ""


def verdict(tool: Tool, *, tainted: bool) -> Verdict:
    """The rule for one call of `tool` in a run that is tainted or not."""
    if isinstance(tool, HumanTool):
        return Verdict("ask", "the tool is a question to a person")
    if tool.effect == "destructive":
        return Verdict("ask", "the tool can destroy")
    if tool.requires_approval:
        return Verdict("ask", "the tool's author wants each call approved")
    if tainted and tool.effect != "read" and tool.after_untrusted == "ask":
        return Verdict("ask", "the run holds content from outside, which may have asked for this")
    return Verdict("call")


def taint_handed_on(tool: Tool, ruling: Verdict, *, tainted: bool) -> bool:
    """Whether whoever carries out this call is told that content from outside may have asked for
    it. Not where a person agreed to this very call, nor where the tool's author allows it."""
    return tainted and ruling.action == "call" and tool.after_untrusted == "ask"


def taints(tool: Tool) -> bool:
    """Whether what a call of `tool` gave (an error too) may have been written by anybody."""
    if tool.trusted or isinstance(tool, HumanTool):
        return False
    if isinstance(tool, CodeTool):
        # Monty computes on what the run already holds; tables hold other people's words, and what
        # a Pod's Python can read is its template's affair
        return tool.config.language == "sql" or tool.config.sandbox is not None
    if isinstance(tool, MemoryTool):
        return tool.operation == "recall"
    return isinstance(tool, ApiTool | RetrievalTool | McpFunctionTool | AgentTool)
