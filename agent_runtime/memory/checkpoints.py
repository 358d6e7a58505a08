"""LangGraph checkpoints in Redis or Valkey with plain commands, for runs that wait for a person.

Thin on purpose: a run is written once, when it pauses (`durability="exit"`), so only the newest
checkpoint of a thread is kept, and history can't be listed.
"""

import base64
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from redis.asyncio import Redis

from agent_runtime.memory.redis_store import reported


class RedisCheckpoints(BaseCheckpointSaver[str]):
    """One hash a thread: the checkpoint, and the writes of branches that had already finished."""

    def __init__(self, redis: Redis, agent: str, *, ttl_seconds: int) -> None:
        super().__init__()
        self._redis = redis
        self._agent = agent
        self._ttl = ttl_seconds

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        async with reported():
            stored = await self._redis.hgetall(self._name(config["configurable"]["thread_id"]))
        if b"checkpoint" not in stored:
            return None
        record = json.loads(stored[b"checkpoint"])
        wanted = config["configurable"].get("checkpoint_id")
        if wanted not in (None, record["id"]):
            return None
        writes = [
            (task, channel, self._unpacked(value))
            for name, entry in sorted(stored.items())
            if name.startswith(b"write:" + record["id"].encode() + b":")
            for task, channel, value in [json.loads(entry)]
        ]
        return CheckpointTuple(
            config=_config(config, record["id"]),
            checkpoint=self._unpacked(record["checkpoint"]),
            metadata=self._unpacked(record["metadata"]),
            parent_config=None,
            pending_writes=writes,
        )

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        del new_versions
        record = {
            "id": checkpoint["id"],
            "checkpoint": self._packed(checkpoint),
            "metadata": self._packed(metadata),
        }
        await self._put(config, {"checkpoint": json.dumps(record)})
        return _config(config, checkpoint["id"])

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        del task_path
        checkpoint_id = config["configurable"]["checkpoint_id"]
        fields = {}
        for position, (channel, value) in enumerate(writes):
            index = WRITES_IDX_MAP.get(channel, position)
            name = f"write:{checkpoint_id}:{task_id}:{index:06d}"
            fields[name] = json.dumps([task_id, channel, self._packed(value)])
        await self._put(config, fields)

    async def adelete_thread(self, thread_id: str) -> None:
        async with reported():
            await self._redis.delete(self._name(thread_id))

    async def alist(
        self, config: RunnableConfig | None, **_: Any
    ) -> AsyncIterator[CheckpointTuple]:
        """The newest checkpoint only; nothing older is kept."""
        found = await self.aget_tuple(config) if config else None
        if found:
            yield found

    async def _put(self, config: RunnableConfig, fields: dict[str, str]) -> None:
        if not fields:
            return
        name = self._name(config["configurable"]["thread_id"])
        async with reported(), self._redis.pipeline(transaction=True) as pipe:
            for field, value in fields.items():
                pipe.hset(name, field, value)
            pipe.expire(name, self._ttl)
            await pipe.execute()

    def _packed(self, value: Any) -> list[str]:
        kind, data = self.serde.dumps_typed(value)
        return [kind, base64.b64encode(data).decode("ascii")]

    def _unpacked(self, packed: list[str]) -> Any:
        return self.serde.loads_typed((packed[0], base64.b64decode(packed[1])))

    def _name(self, thread_id: str) -> str:
        return f"agent:run:{self._agent}:{thread_id}"


def _config(config: RunnableConfig, checkpoint_id: str) -> RunnableConfig:
    configurable = config["configurable"]
    return {
        "configurable": {
            "thread_id": configurable["thread_id"],
            "checkpoint_ns": configurable.get("checkpoint_ns", ""),
            "checkpoint_id": checkpoint_id,
        }
    }
