"""A tenant's own CrewAI crew as what works on runs.

The crew is given `{question}` and `{conversation}` for its tasks. Its models and tools are its own
affair: of the budgets only time holds, and a run whose worker was lost begins again. It can't ask
people: CrewAI would read their words from a terminal.

CrewAI (1.15, MIT) wants pydantic below 2.13 and mcp below 2, so that it has an environment of its
own: `agent_runtime/crewai-requirements.txt`.
"""

import asyncio
import os
import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from agent_runtime.agent import budget as limits
from agent_runtime.agent.accounts import Accounts
from agent_runtime.agent.completion import Message
from agent_runtime.agent.result import RunResult
from agent_runtime.agent.voice import Voice, guard_for
from agent_runtime.auth import Identity
from agent_runtime.memory.taint import plain
from agent_runtime.runs.ends import completed
from agent_runtime.runs.packing import limits_of
from agent_runtime.runs.run_log import RunLog
from agent_runtime.runs.store import End
from agent_runtime.settings import SettingsError
from agents.document import AgentDocument

MISSING = (
    "framework crewai: this image has no CrewAI; build the variant with "
    "--build-arg REQUIREMENTS=crewai-requirements.txt"
)
_QUIET = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_TRACKING": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
}


def load_crew(entrypoint: str) -> Any:
    """The crew that `package.module:name` names. Raises SettingsError."""
    if find_spec("crewai") is None:
        raise SettingsError(MISSING)
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    # its records of tasks would go to the home directory, which may be read-only
    os.environ.setdefault("XDG_DATA_HOME", tempfile.mkdtemp(prefix="crewai-"))
    crew_type = import_module("crewai").Crew
    module, _, name = entrypoint.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"entrypoint {entrypoint!r}: {error}") from None
    if not isinstance(found, crew_type):
        raise SettingsError(f"entrypoint {entrypoint!r} is a {type(found).__name__}, not a Crew")
    if any(task.human_input for task in found.tasks):
        text = f"entrypoint {entrypoint!r}: a task has human_input, and nobody is at a terminal"
        raise SettingsError(text)
    return found


class OwnCrew:
    """Has a copy of the crew work on each run."""

    def __init__(
        self, document: AgentDocument, crew: Any, *, accounts: Accounts, degraded: tuple[str, ...]
    ) -> None:
        self._document = document
        self._crew = crew
        self._accounts = accounts
        self._degraded = degraded

    async def advance(self, log: RunLog) -> End:
        """The crew's answer. Raises RunLostError."""
        claim = log.claim
        identity = Identity(claim.tenant, claim.user, tuple(claim.request["roles"]))
        budget = limits.smaller(self._document.spec.budget, limits_of(claim.request))
        asked = list(claim.request["messages"])
        given = _inputs([*plain(claim.history), *asked])
        with self._accounts.work(claim, identity):
            try:
                async with asyncio.timeout(budget.seconds):
                    output = await self._crew.copy().akickoff(inputs=given)
            except TimeoutError:
                return self._end(log, asked, limits.OUT_OF_TIME, limit="time")
        # what its tools read is not known, so that every answer counts as tainted
        voice = Voice(log, 0, guard_for(self._document.spec.output.links, tainted=True))
        usage = getattr(output, "token_usage", None)
        return self._end(log, asked, voice.cleaned(str(output.raw)), usage=usage)

    def _end(
        self, log: RunLog, asked: list[Message], text: str, *, limit: str = "", usage: Any = None
    ) -> End:
        result = RunResult(
            text=text,
            status="completed",
            finish_reason="length" if limit else "stop",
            model=self._document.spec.model.name,
            session=log.claim.session,
            trace_id=log.claim.trace_id,
            prompt_tokens=getattr(usage, "prompt_tokens", 0),
            completion_tokens=getattr(usage, "completion_tokens", 0),
            degraded=list(self._degraded),
            limit=limit,
        )
        return completed(result, [*asked, {"role": "assistant", "content": text}])


def _inputs(messages: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What the templates of tasks and agents may name."""
    lines = [f"{each['role']}: {each['content']}" for each in messages[:-1]]
    return {"question": str(messages[-1]["content"]), "conversation": "\n".join(lines)}
