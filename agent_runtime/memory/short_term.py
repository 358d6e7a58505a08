"""Short-term memory in Redis or Valkey: a list of messages for each session."""

import json
from collections.abc import Sequence

from redis.asyncio import Redis

from agent_runtime.agent.completion import Message
from agent_runtime.memory.ports import SessionKey
from agent_runtime.memory.redis_store import reported


class RedisShortTermMemory:
    """Keeps the last `max_history` messages for `ttl_seconds` after the last one."""

    def __init__(self, redis: Redis, *, ttl_seconds: int, max_history: int) -> None:
        self._redis = redis
        self._ttl = ttl_seconds
        self._limit = max_history

    async def load(self, key: SessionKey) -> list[Message]:
        if self._limit == 0:
            return []
        async with reported():
            stored = await self._redis.lrange(_name(key), -self._limit, -1)
        return [json.loads(entry) for entry in stored]

    async def append(self, key: SessionKey, messages: Sequence[Message]) -> None:
        if self._limit == 0 or not messages:
            return
        entries = [json.dumps(message, ensure_ascii=False) for message in messages]
        async with reported(), self._redis.pipeline(transaction=True) as pipe:
            pipe.rpush(_name(key), *entries)
            pipe.ltrim(_name(key), -self._limit, -1)
            pipe.expire(_name(key), self._ttl)
            await pipe.execute()

    async def delete(self, key: SessionKey) -> bool:
        async with reported():
            return bool(await self._redis.delete(_name(key)))


def _name(key: SessionKey) -> str:
    """The session stands last and is the only part that may hold a colon."""
    return f"agent:{key.tenant}:{key.agent}:session:{key.session}"
