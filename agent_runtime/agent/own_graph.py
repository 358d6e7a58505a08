"""A tenant's own compiled LangGraph graph as what works on runs."""

from typing import Any

from agent_runtime.agent.accounts import Accounts
from agent_runtime.memory.approval_desk import ApprovalDesk
from agent_runtime.runs.run_log import RunLog
from agent_runtime.runs.store import End
from agents.document import AgentDocument


def load_graph(entrypoint: str, saver: Any) -> Any:
    raise NotImplementedError


class OwnGraph:
    def __init__(
        self,
        document: AgentDocument,
        graph: Any,
        *,
        desk: ApprovalDesk,
        accounts: Accounts,
        degraded: tuple[str, ...],
    ) -> None:
        raise NotImplementedError

    async def advance(self, log: RunLog) -> End:
        raise NotImplementedError
