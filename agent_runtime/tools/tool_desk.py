"""Tool calls from outside of any run: the same policy, with approvals found again by their digest.

What such a caller has read before is unknown, so that every call counts as asked for by content
from outside: tools that write wait for a person, unless their author says otherwise.
"""

import asyncio
import logging
import time
import uuid
from dataclasses import dataclass
from typing import Any

from agent_runtime.agent.retry import ATTEMPTS, full_jitter
from agent_runtime.auth import Identity
from agent_runtime.errors import RequestError
from agent_runtime.memory.approval_desk import ApprovalDesk
from agent_runtime.memory.approvals import Approval, approval_id, digest_of
from agent_runtime.telemetry.tracing import trace_id
from agent_runtime.tools.arguments import ArgumentsError, checked
from agent_runtime.tools.policy import Verdict, taint_handed_on, verdict
from agent_runtime.tools.port import (
    BoundTool,
    CallContext,
    Progress,
    ToolResult,
    TransientToolError,
    version_of,
)
from agent_runtime.tools.registry import ToolRegistry, UnknownToolError
from agents.tool import HumanTool

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DirectCall:
    """What a caller wants."""

    identity: Identity
    name: str
    arguments: str
    """JSON."""
    chain: tuple[str, ...] = ()
    progress: Progress | None = None


@dataclass(frozen=True)
class Held:
    """A call that was not made, since a person decides first."""

    approval: Approval
    known: bool
    """Whether the question was there before this call."""

    @property
    def result(self) -> ToolResult:
        """For a caller that can do nothing but call again."""
        place, reason = self.approval.id, self.approval.reason
        text = f"waits for a person (approval {place}): {reason}; then call it again"
        return ToolResult(text, error=True)


class ToolDesk:
    """Calls tools for callers who are no run of an agent."""

    def __init__(self, registry: ToolRegistry, approvals: ApprovalDesk) -> None:
        self._registry = registry
        self._approvals = approvals

    @property
    def registry(self) -> ToolRegistry:
        return self._registry

    async def call(self, wanted: DirectCall) -> ToolResult | Held:
        """The result, or what a person decides before the call can be made."""
        tools = await self._registry.ready()
        try:
            bound = tools.find(wanted.name)
            arguments = checked(bound.tool, wanted.arguments)
        except (UnknownToolError, ArgumentsError) as error:
            return ToolResult(str(error), error=True)
        ruling = verdict(bound.tool, tainted=True)
        answer = ""
        if ruling.action == "ask":
            allowed = await self._allowed(bound, arguments, wanted.identity, ruling)
            if not isinstance(allowed, str):
                return allowed
            answer = allowed
        context = CallContext(
            wanted.identity.tenant,
            wanted.identity.user,
            run_id="direct",
            call_id=uuid.uuid4().hex,
            answer=answer,
            chain=wanted.chain,
            progress=wanted.progress,
            tainted=taint_handed_on(bound.tool, ruling, tainted=True),
        )
        return await _called(bound, arguments, context)

    async def _allowed(
        self, bound: BoundTool, arguments: dict[str, Any], identity: Identity, ruling: Verdict
    ) -> str | ToolResult | Held:
        """What the person said who agreed, or why the call is not made (yet)."""
        version = version_of(bound.tool)
        name = bound.tool.name
        place = approval_id(f"direct:{identity.user}", "", name, arguments, version)
        decided = await self._approvals.use(
            identity.tenant, place, digest_of(name, arguments, version)
        )
        if decided is None:
            approval = _approval(bound, arguments, identity, place, ruling)
            return Held(approval, known=not await self._approvals.ask(approval))
        if not decided.approved:
            text = f"a person refused this call: {decided.answer or 'no reason given'}"
            return ToolResult(text, error=True)
        return decided.answer


def _approval(
    bound: BoundTool, arguments: dict[str, Any], identity: Identity, place: str, ruling: Verdict
) -> Approval:
    tool, now, version = bound.tool, int(time.time()), version_of(bound.tool)
    prompt, expires, needs_answer = (
        f"May {tool.name} be called?",
        tool.approval.expires_seconds,
        False,
    )
    if isinstance(tool, HumanTool):
        prompt, expires = tool.config.prompt, tool.expires_seconds
        needs_answer = tool.config.kind == "input"
    return Approval(
        id=place,
        tenant=identity.tenant,
        run_id="direct",
        interrupt_id="",
        tool=tool.name,
        arguments=arguments,
        prompt=prompt,
        asked_by=identity.user,
        session="",
        created=now,
        expires=now + int(expires),
        version=version,
        digest=digest_of(tool.name, arguments, version),
        reason=ruling.reason,
        four_eyes=tool.approval.four_eyes,
        role=tool.approval.role or "",
        needs_answer=needs_answer,
        trace_id=trace_id(),
    )


async def _called(bound: BoundTool, arguments: dict[str, Any], context: CallContext) -> ToolResult:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await bound.call(arguments, context)
        except TransientToolError as error:
            if attempt == ATTEMPTS:
                text = f"still failing after {ATTEMPTS} attempts: {error}"
                return ToolResult(text, error=True)
            await asyncio.sleep(full_jitter(attempt))
        except RequestError as error:
            return ToolResult(error.message, error=True)
        except Exception:  # noqa: BLE001 # a tool's defect must not end the server
            _log.exception("tool failed", extra={"fields": {"tool": bound.tool.name}})
            break
    return ToolResult("the tool failed", error=True)
