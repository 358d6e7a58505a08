"""LangGraph checkpoints in Redis or Valkey with plain commands, for a tenant's own graph.

A thread is one hash that expires as a whole: `c` fields hold checkpoints, `w` fields the writes of
single tasks. A fence in the config ties writes to the worker that owns the run.
"""

import base64
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_checkpoint_metadata,
)
from redis.asyncio import Redis

from agent_runtime.memory.redis_store import reported
from agent_runtime.runs.run_log import RunLostError

FENCE = "fence"
"""Key of `configurable`: the fence of the claim; the thread is then the run's id."""

# KEYS: thread, index of threads, run. ARGV: fence or '', seconds, now, thread id, then overwrite
# ('1' or '0'), field and value in turn.
_PUT = """
if ARGV[1] ~= '' and redis.call('HGET', KEYS[3], 'fence') ~= ARGV[1] then return 0 end
for i = 5, #ARGV, 3 do
  redis.call(ARGV[i] == '1' and 'HSET' or 'HSETNX', KEYS[1], ARGV[i + 1], ARGV[i + 2])
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[3] + ARGV[2], ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[3])
return 1
"""


class RedisCheckpoints(BaseCheckpointSaver[str]):
    """Keeps the whole history of each thread until `ttl_seconds` after its last checkpoint."""

    def __init__(self, redis: Redis, agent: str, *, ttl_seconds: int) -> None:
        super().__init__()
        self._redis: Any = redis
        self._agent = agent
        self._ttl = ttl_seconds
        self._threads = f"agent:run:{agent}:threads"

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        configurable = config["configurable"]
        thread = await self._load(configurable["thread_id"])
        namespace = configurable.get("checkpoint_ns", "")
        known = thread.ids(namespace)
        wanted = get_checkpoint_id(config) or (max(known) if known else None)
        return self._tuple(thread, namespace, wanted) if wanted in known else None

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # the base class names it so
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Newest first."""
        configurable = config["configurable"] if config else {}
        names = [configurable["thread_id"]] if config else await self._known_threads()
        namespace, wanted = configurable.get("checkpoint_ns"), configurable.get("checkpoint_id")
        end = get_checkpoint_id(before) if before else None
        found: list[CheckpointTuple] = []
        for name in names:
            thread = await self._load(name)
            for space in thread.namespaces():
                if namespace not in (None, space):
                    continue
                for each in sorted(thread.ids(space), reverse=True):
                    if wanted not in (None, each) or (end and each >= end):
                        continue
                    found.append(self._tuple(thread, space, each))
        fits = [each for each in found if _fits(each.metadata, filter or {})]
        for fit in fits[:limit]:
            yield fit

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        del new_versions  # the checkpoint holds every channel's value
        configurable = config["configurable"]
        namespace = configurable.get("checkpoint_ns", "")
        record = {
            "parent": configurable.get("checkpoint_id"),
            "checkpoint": self._packed(checkpoint),
            "metadata": self._packed(get_checkpoint_metadata(config, metadata)),
        }
        field = json.dumps(["c", namespace, checkpoint["id"]])
        await self._put(config, [("1", field, json.dumps(record))])
        return _config(configurable["thread_id"], namespace, checkpoint["id"])

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        configurable = config["configurable"]
        place = [configurable.get("checkpoint_ns", ""), configurable["checkpoint_id"], task_id]
        fields = []
        for position, (channel, value) in enumerate(writes):
            index = WRITES_IDX_MAP.get(channel, position)
            field = json.dumps(["w", *place, index])
            # what a task wrote stays; only errors and interrupts are replaced
            overwrite = "1" if index < 0 else "0"
            entry = json.dumps([task_path, channel, self._packed(value)])
            fields.append((overwrite, field, entry))
        await self._put(config, fields)

    async def adelete_thread(self, thread_id: str) -> None:
        async with reported(), self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(self._name(thread_id))
            pipe.zrem(self._threads, thread_id)
            await pipe.execute()

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Every checkpoint that one of these LangGraph runs made, with its writes."""
        wanted = set(run_ids)
        for name in await self._known_threads():
            thread = await self._load(name)
            gone = [
                (space, each)
                for space in thread.namespaces()
                for each in thread.ids(space)
                if self._tuple(thread, space, each).metadata.get("run_id") in wanted
            ]
            await self._drop(thread, gone)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        async with reported():
            if await self._redis.copy(
                self._name(source_thread_id), self._name(target_thread_id), replace=True
            ):
                ends = time.time() + self._ttl
                await self._redis.zadd(self._threads, {target_thread_id: ends})

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """`keep_latest`: the newest of each namespace stays; `delete`: none does."""
        for name in thread_ids:
            if strategy == "delete":
                await self.adelete_thread(name)
                continue
            thread = await self._load(name)
            old = [
                (space, each)
                for space in thread.namespaces()
                for each in sorted(thread.ids(space))[:-1]
            ]
            await self._drop(thread, old)

    async def _load(self, thread_id: str) -> "_Thread":
        async with reported():
            stored = await self._redis.hgetall(self._name(thread_id))
        return _Thread(thread_id, stored)

    async def _known_threads(self) -> list[str]:
        async with reported():
            names = await self._redis.zrange(self._threads, 0, -1)
        return [name.decode() for name in names]

    async def _put(self, config: RunnableConfig, fields: Sequence[tuple[str, str, str]]) -> None:
        if not fields:
            return
        configurable = config["configurable"]
        thread_id, fence = configurable["thread_id"], configurable.get(FENCE, "")
        keys = (self._name(thread_id), self._threads, f"run:{self._agent}:r:{thread_id}")
        flat = [part for field in fields for part in field]
        now = int(time.time())
        async with reported():
            kept = await self._redis.eval(
                _PUT, len(keys), *keys, fence, self._ttl, now, thread_id, *flat
            )
        if not kept:
            raise RunLostError(thread_id)

    async def _drop(self, thread: "_Thread", gone: Sequence[tuple[str, str]]) -> None:
        fields = [field for place in gone for field in thread.fields(*place)]
        if fields:
            async with reported():
                await self._redis.hdel(self._name(thread.id), *fields)

    def _tuple(self, thread: "_Thread", namespace: str, checkpoint_id: str) -> CheckpointTuple:
        record = thread.checkpoints[namespace][checkpoint_id]
        parent = record["parent"]
        writes = [
            (task, channel, self._unpacked(value))
            for task, channel, value in thread.writes(namespace, checkpoint_id)
        ]
        return CheckpointTuple(
            config=_config(thread.id, namespace, checkpoint_id),
            checkpoint=self._unpacked(record["checkpoint"]),
            metadata=self._unpacked(record["metadata"]),
            parent_config=_config(thread.id, namespace, parent) if parent else None,
            pending_writes=writes,
        )

    def _packed(self, value: Any) -> list[str]:
        kind, data = self.serde.dumps_typed(value)
        return [kind, base64.b64encode(data).decode("ascii")]

    def _unpacked(self, packed: list[str]) -> Any:
        return self.serde.loads_typed((packed[0], base64.b64decode(packed[1])))

    def _name(self, thread_id: str) -> str:
        return f"agent:run:{self._agent}:thread:{thread_id}"


class _Thread:
    """The fields of one thread's hash, by what they mean."""

    def __init__(self, thread_id: str, stored: Mapping[bytes, bytes]) -> None:
        self.id = thread_id
        self.checkpoints: dict[str, dict[str, Any]] = {}
        self._writes: dict[tuple[str, str], list[tuple[str, int, bytes, bytes]]] = {}
        for field, value in stored.items():
            kind, namespace, checkpoint_id, *rest = json.loads(field)
            if kind == "c":
                self.checkpoints.setdefault(namespace, {})[checkpoint_id] = json.loads(value)
            else:
                entry = (str(rest[0]), int(rest[1]), field, value)
                self._writes.setdefault((namespace, checkpoint_id), []).append(entry)

    def namespaces(self) -> list[str]:
        return sorted(self.checkpoints)

    def ids(self, namespace: str) -> set[str]:
        return set(self.checkpoints.get(namespace, ()))

    def writes(self, namespace: str, checkpoint_id: str) -> Iterator[tuple[str, str, list[str]]]:
        """Task, channel and packed value, in the order in which the tasks stand in the graph."""
        entries = [
            (*json.loads(value), task, index)
            for task, index, _, value in self._writes.get((namespace, checkpoint_id), ())
        ]
        for _path, channel, value, task, _index in sorted(
            entries, key=lambda each: (each[0], each[3], each[4])
        ):
            yield task, channel, value

    def fields(self, namespace: str, checkpoint_id: str) -> Iterator[bytes | str]:
        """The names of all fields of one checkpoint."""
        yield json.dumps(["c", namespace, checkpoint_id])
        for _, _, field, _ in self._writes.get((namespace, checkpoint_id), ()):
            yield field


def _fits(metadata: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(metadata.get(name) == value for name, value in wanted.items())


def _config(thread_id: str, namespace: str, checkpoint_id: str) -> RunnableConfig:
    return {
        "configurable": {
            "thread_id": thread_id,
            "checkpoint_ns": namespace,
            "checkpoint_id": checkpoint_id,
        }
    }
