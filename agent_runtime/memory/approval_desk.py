"""Where people decide: checks who may, keeps what was said, and writes it all down."""

import time
from dataclasses import dataclass

from agent_runtime.auth import Identity
from agent_runtime.errors import RequestError, invalid
from agent_runtime.memory.approvals import Approval, ApprovalStore, Ruling
from agent_runtime.memory.audit import AuditTrail, Event, Fact


@dataclass(frozen=True)
class Answer:
    """What a person says to an approval."""

    approved: bool
    text: str = ""


class ApprovalDesk:
    """Approvals of one agent. Raises MemoryUnavailableError where the store is down."""

    def __init__(self, store: ApprovalStore, audit: AuditTrail) -> None:
        self._store = store
        self._audit = audit

    @property
    def audit(self) -> AuditTrail:
        return self._audit

    async def ask(self, approval: Approval) -> bool:
        """Let a person see it. Asking again for the same call changes nothing, and gives False."""
        if await self._store.get(approval.tenant, approval.id) is not None:
            return False
        await self._store.put(approval)
        await self._audit.record(Fact("asked", approval, approval.asked_by, approval.reason))
        return True

    async def pending(self, tenant: str) -> list[Approval]:
        return await self._store.pending(tenant)

    async def decide(
        self, identity: Identity, approval_id: str, answer: Answer, *, trace_id: str = ""
    ) -> Approval:
        """Keep the person's decision until it is used.

        The same person saying the same again gets the approval again, so that what follows a
        decision can be repeated. RequestError 404: unknown, used or expired; 403: this person may
        not; 409: somebody decided otherwise; 400: an answer is needed.
        """
        approval = await self._store.get(identity.tenant, approval_id)
        if approval is None:
            text = "no such approval waits: it is unknown, decided or expired"
            raise RequestError(404, "approval_not_found", text)
        if why_not := forbidden(approval, identity):
            await self._audit.record(Fact("refused", approval, identity.user, why_not, trace_id))
            raise RequestError(403, "approval_forbidden", why_not)
        if answer.approved and approval.needs_answer and not answer.text.strip():
            raise invalid("this approval needs words: send `answer`", param="answer")
        ruling = Ruling(answer.approved, identity.user, answer.text, int(time.time()))
        standing = await self._store.rule(approval, ruling)
        if standing == ruling:
            event: Event = "approved" if answer.approved else "rejected"
            await self._audit.record(Fact(event, approval, identity.user, answer.text, trace_id))
        elif (standing.approved, standing.by) != (answer.approved, identity.user):
            raise RequestError(409, "approval_decided", "somebody has decided this already")
        return approval

    async def ruling(self, tenant: str, approval_id: str) -> Ruling | None:
        """What was decided; None: nothing yet."""
        return await self._store.ruling(tenant, approval_id)

    async def use(self, tenant: str, approval_id: str, digest: str) -> Ruling | None:
        """The ruling for exactly this call, which can't be used again; None: there is none.

        `digest` is that of the call about to be made: an approval of other arguments, or of another
        version of the tool, does not count and is gone.
        """
        ruling = await self._store.ruling(tenant, approval_id)
        if ruling is None:
            return None
        approval = await self._store.take(tenant, approval_id)
        if approval is None:
            return None
        if approval.digest != digest:
            why = "the call is not the one that was approved"
            await self._audit.record(Fact("refused", approval, approval.asked_by, why))
            return None
        await self._audit.record(Fact("used", approval, approval.asked_by))
        return ruling


def forbidden(approval: Approval, identity: Identity) -> str:
    """Why this person may not decide; empty: the person may."""
    if approval.role and approval.role not in identity.roles:
        return f"only somebody with the role {approval.role!r} decides this"
    if approval.four_eyes and not (identity.user and approval.asked_by):
        return "a second person decides this, and both must be known by name"
    if approval.four_eyes and identity.user == approval.asked_by:
        return "somebody else than the person who asked decides this"
    return ""
