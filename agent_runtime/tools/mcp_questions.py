"""Questions to the person behind an MCP client, where that client can show them (elicitation).

Whoever sent the call answers with the same identity with which it could decide at
`/v1/approvals`: this is another way to the same desk, never around it.
"""

import json
import unicodedata
from dataclasses import dataclass
from typing import Any

import mcp_types as wire
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from agent_runtime.auth import Identity
from agent_runtime.memory.approval_desk import Answer, forbidden
from agent_runtime.memory.approvals import Approval
from agent_runtime.tools.tool_desk import Held

ANSWER_SECONDS = 300.0
"""How long a call of an earlier wire stays open for the person; the approval itself waits on."""
MAX_SHOWN_CHARACTERS = 4000
WORD = "answer"
_UNSEEN = ("Cc", "Cf", "Zl", "Zp")


@dataclass(frozen=True)
class PersonBehind:
    """Whom one call of a tool may ask."""

    context: Any
    """The SDK's context of the request."""
    responses: dict[str, Any]
    """Answers that the call brings along, by the id of the approval."""
    identity: Identity

    async def says(self, held: Held) -> Answer | wire.InputRequiredResult | None:
        """The answer; what the client is to ask before it calls again; or None: it can't ask this
        person, or the person left it open."""
        approval = held.approval
        if forbidden(approval, self.identity) or not self._shows_forms():
            return None
        if len(_shown(approval)) > MAX_SHOWN_CHARACTERS:
            return None  # nobody agrees to what is not seen whole
        session = self.context.session
        if session.protocol_version in MODERN_PROTOCOL_VERSIONS:
            given = self.responses.get(approval.id)
            # what nobody was asked is not answered yet
            if held.known and given is not None:
                return _answer(given)
            return wire.InputRequiredResult(input_requests={approval.id: question(approval)})
        if not session.can_send_request:
            return None
        try:
            given = await session.send_request(
                question(approval),
                wire.ElicitResult,
                request_read_timeout_seconds=ANSWER_SECONDS,
                metadata=ServerMessageMetadata(related_request_id=self.context.request_id),
            )
        except (MCPError, ValidationError):  # refused, nobody answered, or no answer to this
            return None
        return _answer(given)

    def _shows_forms(self) -> bool:
        known = self.context.session.client_capabilities
        asks = known.elicitation if known else None
        # a client that says no kind means forms
        return asks is not None and (asks.form is not None or asks.url is None)


def question(approval: Approval) -> wire.ElicitRequest:
    """What the person is shown: the question, the very call, and why it is asked."""
    text = f"{approval.prompt}\n\n{_shown(approval)}\n\n{approval.reason}"
    about = "what you answer" if approval.needs_answer else "a word on it, if you like"
    schema = {
        "type": "object",
        "properties": {WORD: {"type": "string", "title": "Answer", "description": about}},
        "required": [WORD] if approval.needs_answer else [],
    }
    asked = wire.ElicitRequestFormParams(message=text, requested_schema=schema)
    return wire.ElicitRequest(params=asked)


def _shown(approval: Approval) -> str:
    """The call as one line; what would turn or hide its letters on a screen is spelled out."""
    text = f"{approval.tool}({json.dumps(approval.arguments, ensure_ascii=False)})"
    return "".join(
        f"\\u{ord(each):04x}" if unicodedata.category(each) in _UNSEEN else each for each in text
    )


def _answer(given: Any) -> Answer | None:
    """None: the person neither agreed nor refused."""
    if not isinstance(given, wire.ElicitResult) or given.action == "cancel":
        return None
    said = (given.content or {}).get(WORD, "")
    return Answer(given.action == "accept", said if isinstance(said, str) else json.dumps(said))
