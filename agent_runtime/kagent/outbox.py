"""Runs that the controller has not heard of yet, in the session store until it has.

The store's scripts append a run to a list in the same step in which it begins to wait or ends, so a
dead process forgets nothing. From there it moves to a set ordered by when it is due.
"""

from dataclasses import dataclass

from redis.asyncio import Redis

from agent_runtime.memory.redis_store import reported

VISIBLE_SECONDS = 60
"""After this a claimed run is due again: whoever claimed it is gone, or far too slow."""
LONGEST_PAUSE_SECONDS = 300

_CLAIM = """
local now = tonumber(redis.call('TIME')[1])
while true do
  local id = redis.call('LPOP', KEYS[1])
  if not id then break end
  redis.call('ZADD', KEYS[2], now, id)
  redis.call('HDEL', KEYS[3], id)
end
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, id in ipairs(due) do redis.call('ZADD', KEYS[2], now + ARGV[2], id) end
return {now + ARGV[2], due}
"""
_DONE = """
if redis.call('ZSCORE', KEYS[2], ARGV[1]) == ARGV[2] then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('HDEL', KEYS[3], ARGV[1])
end
"""
_AGAIN = """
local now = tonumber(redis.call('TIME')[1])
local tries = redis.call('HINCRBY', KEYS[3], ARGV[1], 1)
if redis.call('ZSCORE', KEYS[2], ARGV[1]) == ARGV[2] then
  redis.call('ZADD', KEYS[2], now + math.min(2 ^ math.min(tries, 16), ARGV[3]), ARGV[1])
end
return tries
"""


@dataclass(frozen=True)
class Claimed:
    """One run to tell of; `stamp` marks this claim."""

    run_id: str
    stamp: int


class Outbox:
    """The outbox of one agent, shared by its replicas. Raises MemoryUnavailableError."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._keys = [f"{prefix}outbox", f"{prefix}outbox:due", f"{prefix}outbox:tries"]
        self._claim = redis.register_script(_CLAIM)
        self._done = redis.register_script(_DONE)
        self._again = redis.register_script(_AGAIN)

    async def claim(self, count: int = 20) -> list[Claimed]:
        """What is due; nobody else gets it for `VISIBLE_SECONDS`."""
        async with reported():
            stamp, due = await self._claim(keys=self._keys, args=[count, VISIBLE_SECONDS])
        return [Claimed(str(each, "ascii"), int(stamp)) for each in due]

    async def done(self, claimed: Claimed) -> None:
        """Forget it, unless the run changed meanwhile: then it is due again already."""
        async with reported():
            await self._done(keys=self._keys, args=[claimed.run_id, claimed.stamp])

    async def again(self, claimed: Claimed) -> int:
        """Due again after a pause that doubles; the number of tries so far."""
        async with reported():
            return int(
                await self._again(
                    keys=self._keys, args=[claimed.run_id, claimed.stamp, LONGEST_PAUSE_SECONDS]
                )
            )
