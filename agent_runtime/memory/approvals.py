"""What waits for a person, and what the person said: kept until it is used once or expires."""

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
    version: str = ""
    """Of the tool; another version needs another approval."""
    digest: str = ""
    """Of tool, arguments and version: what exactly is approved."""
    reason: str = ""
    """Why a person is asked."""
    four_eyes: bool = False
    role: str = ""
    """The role that the person deciding must hold."""
    needs_answer: bool = False
    """Whether agreeing takes words, which go to the model."""
    trace_id: str = ""

    def public(self) -> dict[str, Any]:
        """What an approver is shown."""
        hidden = ("interrupt_id", "tenant")
        return {name: value for name, value in asdict(self).items() if name not in hidden}


@dataclass(frozen=True)
class Ruling:
    """What a person decided."""

    approved: bool
    by: str
    answer: str
    at: int
    """Unix time in seconds."""


def digest_of(tool: str, arguments: Any, version: str = "") -> str:
    """Changes with any part of what is approved, whoever asks for it."""
    text = json.dumps([tool, arguments, version], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def approval_id(run_id: str, call_id: str, tool: str, arguments: Any, version: str = "") -> str:
    """One for each call: the digest of what is approved, bound to the call that asked."""
    text = json.dumps([run_id, call_id, digest_of(tool, arguments, version)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class ApprovalStore(Protocol):
    """Approvals of one agent, each tenant's apart. Raises MemoryUnavailableError."""

    async def put(self, approval: Approval) -> None: ...

    async def pending(self, tenant: str) -> list[Approval]:
        """Those that nobody has decided, oldest first."""
        ...

    async def get(self, tenant: str, approval_id: str) -> Approval | None:
        """Decided or not; None once it is used or expired."""
        ...

    async def rule(self, approval: Approval, ruling: Ruling) -> Ruling:
        """Keep the ruling, unless there is one: of two callers the first one counts for both."""
        ...

    async def ruling(self, tenant: str, approval_id: str) -> Ruling | None: ...

    async def take(self, tenant: str, approval_id: str) -> Approval | None:
        """The approval, which is gone then with its ruling: of two callers only one gets it."""
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

    async def get(self, tenant: str, approval_id: str) -> Approval | None:
        async with reported():
            stored = await self._redis.get(self._name(tenant, approval_id))
        return Approval(**json.loads(stored)) if stored else None

    async def rule(self, approval: Approval, ruling: Ruling) -> Ruling:
        name = self._ruling(approval.tenant, approval.id)
        left = max(1, approval.expires - int(time.time()))
        async with reported(), self._redis.pipeline(transaction=True) as pipe:
            pipe.set(name, json.dumps(asdict(ruling)), nx=True, ex=left)
            pipe.get(name)
            pipe.srem(self._index(approval.tenant), approval.id)
            _, standing, _ = await pipe.execute()
        return Ruling(**json.loads(standing))

    async def ruling(self, tenant: str, approval_id: str) -> Ruling | None:
        async with reported():
            stored = await self._redis.get(self._ruling(tenant, approval_id))
        return Ruling(**json.loads(stored)) if stored else None

    async def take(self, tenant: str, approval_id: str) -> Approval | None:
        async with reported(), self._redis.pipeline(transaction=True) as pipe:
            pipe.getdel(self._name(tenant, approval_id))
            pipe.delete(self._ruling(tenant, approval_id))
            pipe.srem(self._index(tenant), approval_id)
            stored, _, _ = await pipe.execute()
        return Approval(**json.loads(stored)) if stored else None

    def _name(self, tenant: str, approval_id: str) -> str:
        return f"agent:{tenant}:{self._agent}:approval:{approval_id}"

    def _ruling(self, tenant: str, approval_id: str) -> str:
        return f"agent:{tenant}:{self._agent}:ruling:{approval_id}"

    def _index(self, tenant: str) -> str:
        return f"agent:{tenant}:{self._agent}:approvals"


class InProcessApprovals:
    """Approvals of this process, for an agent without a store: gone with it."""

    def __init__(self) -> None:
        self._approvals: dict[tuple[str, str], Approval] = {}
        self._rulings: dict[tuple[str, str], Ruling] = {}

    async def put(self, approval: Approval) -> None:
        self._approvals[(approval.tenant, approval.id)] = approval

    async def pending(self, tenant: str) -> list[Approval]:
        self._drop_expired()
        return [
            each
            for key, each in self._approvals.items()
            if each.tenant == tenant and key not in self._rulings
        ]

    async def get(self, tenant: str, approval_id: str) -> Approval | None:
        self._drop_expired()
        return self._approvals.get((tenant, approval_id))

    async def rule(self, approval: Approval, ruling: Ruling) -> Ruling:
        return self._rulings.setdefault((approval.tenant, approval.id), ruling)

    async def ruling(self, tenant: str, approval_id: str) -> Ruling | None:
        return self._rulings.get((tenant, approval_id))

    async def take(self, tenant: str, approval_id: str) -> Approval | None:
        self._drop_expired()
        self._rulings.pop((tenant, approval_id), None)
        return self._approvals.pop((tenant, approval_id), None)

    def _drop_expired(self) -> None:
        now = time.time()
        for key in [key for key, each in self._approvals.items() if each.expires <= now]:
            del self._approvals[key]
            self._rulings.pop(key, None)
