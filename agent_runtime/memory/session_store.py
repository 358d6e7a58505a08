"""Everything that an agent keeps in Redis or Valkey."""

from functools import partial

from agent_runtime.kagent.settings import KagentSettings
from agent_runtime.memory.approvals import RedisApprovals
from agent_runtime.memory.audit import RedisAudit
from agent_runtime.memory.checkpoints import RedisCheckpoints
from agent_runtime.memory.redis_store import connect
from agent_runtime.memory.short_term import RedisShortTermMemory
from agent_runtime.runs.faults import Faults
from agent_runtime.runs.redis_runs import Keeping, RedisRuns
from agent_runtime.secret_file import SecretFile
from agent_runtime.settings import Settings
from agents.document import AgentDocument, Memory

CHECKPOINT_SECONDS = 86_400
"""How long the checkpoints of a tenant's own graph are kept after the last one."""
BLOCKING_SECONDS = 15.0
"""Patience with commands that wait in the server; they wait less than this."""


class SessionStore:
    """Conversations, runs, pending approvals, and checkpoints of a tenant's own graph."""

    def __init__(self, settings: Settings, document: AgentDocument) -> None:
        config = (document.spec.memory or Memory()).config
        agent = document.metadata.name
        password = settings.redis_password_file
        client = partial(
            connect,
            settings.redis_host or config.host,
            settings.redis_port or config.port,
            password=SecretFile(password) if password else None,
            tls=settings.redis_tls,
            ca_file=settings.redis_ca_file,
        )
        self._redis = client()
        self._blocking = client(answer_seconds=BLOCKING_SECONDS)
        self.short_term = RedisShortTermMemory(
            self._redis, ttl_seconds=config.ttl, max_history=config.max_history
        )
        self.approvals = RedisApprovals(self._redis, agent)
        self.audit = RedisAudit(self._redis, agent)
        keeping = Keeping(
            queue=settings.queue,
            memory_seconds=config.ttl,
            memory_messages=config.max_history,
            run_seconds=settings.run_seconds,
            lease_seconds=settings.lease_seconds,
            max_attempts=settings.max_attempts,
            max_queue=settings.max_queue,
            replicas=settings.store_replicas,
            outbox=settings.outbox or bool(KagentSettings().url),
        )
        self.runs = RedisRuns(self._redis, self._blocking, agent, keeping, Faults(settings.fault))
        self.checkpoints = RedisCheckpoints(self._redis, agent, ttl_seconds=CHECKPOINT_SECONDS)

    async def close(self) -> None:
        await self._redis.aclose()
        await self._blocking.aclose()
