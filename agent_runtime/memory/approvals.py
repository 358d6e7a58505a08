"""Runs that wait for a person, by the approval that they wait for."""

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from redis.asyncio import Redis

from agent_runtime.memory.redis_store import reported


@dataclass(frozen=True)
class Approval:
    """One question to a person, bound to one tool call with its arguments."""

    id: str
    tenant: str
    run_id: str
    interrupt_id: str
    tool: str
    arguments: Any
    prompt: str
    asked_by: str
    session: str
    created: int
    """Unix time in seconds."""
    expires: int

    def public(self) -> dict[str, Any]:
        """What an approver is shown."""
        hidden = ("interrupt_id", "tenant")
        return {name: value for name, value in asdict(self).items() if name not in hidden}


def approval_id(run_id: str, call_id: str, tool: str, arguments: Any) -> str:
    """Changes with any part of what is approved."""
    text = json.dumps([run_id, call_id, tool, arguments], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class ApprovalStore(Protocol):
    """Pending approvals of one agent. Raises MemoryUnavailableError."""

    async def put(self, approval: Approval) -> None: ...

    async def pending(self, tenant: str) -> list[Approval]: ...

    async def take(self, tenant: str, approval_id: str) -> Approval | None:
        """The approval, which is gone then: of two callers only one gets it."""
        ...


class RedisApprovals:
    """Each approval is a key that expires by itself, found through a set for each tenant."""

    def __init__(self, redis: Redis, agent: str) -> None:
        self._redis = redis
        self._agent = agent

    async def put(self, approval: Approval) -> None:
        index = self._index(approval.tenant)
        left = max(1, approval.expires - int(time.time()))
        async with reported(), self._redis.pipeline(transaction=True) as pipe:
            pipe.set(
                self._name(approval.tenant, approval.id), json.dumps(asdict(approval)), ex=left
            )
            pipe.sadd(index, approval.id)
            pipe.expire(index, left, gt=True)
            pipe.expire(index, left, nx=True)
            await pipe.execute()

    async def pending(self, tenant: str) -> list[Approval]:
        async with reported():
            members = await self._redis.smembers(self._index(tenant))
            ids = sorted(str(each, "ascii") for each in members if isinstance(each, bytes))
            if not ids:
                return []
            stored = await self._redis.mget([self._name(tenant, each) for each in ids])
            if gone := [each for each, value in zip(ids, stored, strict=True) if value is None]:
                await self._redis.srem(self._index(tenant), *gone)
        found = [Approval(**json.loads(value)) for value in stored if value is not None]
        return sorted(found, key=lambda each: each.created)

    async def take(self, tenant: str, approval_id: str) -> Approval | None:
        async with reported():
            stored = await self._redis.getdel(self._name(tenant, approval_id))
            await self._redis.srem(self._index(tenant), approval_id)
        return Approval(**json.loads(stored)) if stored else None

    def _name(self, tenant: str, approval_id: str) -> str:
        return f"agent:{tenant}:{self._agent}:approval:{approval_id}"

    def _index(self, tenant: str) -> str:
        return f"agent:{tenant}:{self._agent}:approvals"
