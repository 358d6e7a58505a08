"""Everything that an agent keeps in Redis or Valkey, over one connection pool."""

from agent_runtime.memory.approvals import RedisApprovals
from agent_runtime.memory.checkpoints import RedisCheckpoints
from agent_runtime.memory.redis_store import connect
from agent_runtime.memory.short_term import RedisShortTermMemory
from agent_runtime.secret_file import SecretFile
from agent_runtime.settings import Settings
from agents.document import AgentDocument, Memory

WAITING_RUN_SECONDS = 86_400
"""How long a run that waits for a person is kept."""


class SessionStore:
    """Conversations, pending approvals and the runs that wait for them."""

    def __init__(self, settings: Settings, document: AgentDocument) -> None:
        config = (document.spec.memory or Memory()).config
        agent = document.metadata.name
        password = settings.redis_password_file
        self._redis = connect(
            settings.redis_host or config.host,
            settings.redis_port or config.port,
            password=SecretFile(password) if password else None,
            tls=settings.redis_tls,
        )
        self.short_term = RedisShortTermMemory(
            self._redis, ttl_seconds=config.ttl, max_history=config.max_history
        )
        self.approvals = RedisApprovals(self._redis, agent)
        self.checkpoints = RedisCheckpoints(self._redis, agent, ttl_seconds=WAITING_RUN_SECONDS)

    async def close(self) -> None:
        await self._redis.aclose()
