"""How words of a model reach the caller: through the guard of links, where there is one."""

import logging

from agent_runtime.agent.completion import Completion
from agent_runtime.agent.link_guard import LinkGuard
from agent_runtime.runs.run_log import RunLog
from agents.output import Links

_log = logging.getLogger(__name__)


def guard_for(links: Links, *, tainted: bool) -> LinkGuard | None:
    """The guard that an answer needs; None where every link may pass."""
    if "*" in links.hosts or not (tainted or links.check == "always"):
        return None
    return LinkGuard(links.hosts)


class Voice:
    """One step's words, told to the caller as they come."""

    def __init__(self, log: RunLog, step: int, guard: LinkGuard | None) -> None:
        self._log = log
        self._step = step
        self._guard = guard

    def say(self, text: str) -> None:
        """A piece of the answer."""
        if self._guard:
            text = self._guard.feed(text)
        if text:
            self._log.text(self._step, text)

    def restarted(self, attempt: int) -> None:
        """The answer begins again."""
        if self._guard:
            self._guard.reset()
        self._log.restarted(self._step, attempt, "the model's answer broke off")

    def pause(self) -> None:
        """No more of this piece comes: tell its last word."""
        if self._guard and (last := self._guard.rest()):
            self._log.text(self._step, last)

    def cleaned(self, text: str) -> str:
        """A whole text as it may be told."""
        if self._guard is None:
            return text
        self._guard.reset()
        return self._guard.feed(text) + self._guard.rest()

    def finish(self, completion: Completion) -> None:
        """The answer has ended; it is known from here on as it was told."""
        if self._guard is None:
            return
        self.pause()
        if self._guard.removed:
            completion.retell(self._guard.text)
            fields = {"run": self._log.claim.run_id, "links": self._guard.removed}
            _log.warning("links removed from an answer", extra={"fields": fields})
