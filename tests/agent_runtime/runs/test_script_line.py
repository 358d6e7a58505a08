"""Programs on a line of their own: in order, and what goes wrong is left to redis-py."""

import asyncio
import hashlib
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoScriptError
from redis.exceptions import TimeoutError as RedisTimeoutError

from agent_runtime.memory.redis_store import connect
from agent_runtime.secret_file import SecretFile
from tests.harness.workload import Workload

pytestmark = pytest.mark.services

SAY = "return ARGV[1]"


def sha(program: str) -> str:
    return hashlib.sha1(program.encode(), usedforsecurity=False).hexdigest()


@pytest.fixture
async def programs(redis: Redis) -> Redis:
    await redis.script_load(SAY)
    return redis


async def connections(redis: Redis) -> list[str]:
    """Ids of the connections whose last command was a program."""
    clients = await redis.client_list()
    return [each["id"] for each in clients if each["cmd"] == "evalsha"]


async def test_many_at_once_go_over_one_connection_each_with_its_own_answer(
    programs: Redis,
) -> None:
    await programs.evalsha(sha(SAY), 0, "first")
    before = len(await connections(programs))
    said = [programs.evalsha(sha(SAY), 0, f"w{number}") for number in range(200)]
    assert await asyncio.gather(*said) == [b"w%d" % number for number in range(200)]
    assert len(await connections(programs)) == before


async def test_an_answer_that_nobody_waits_for_any_more_is_nobody_elses(programs: Redis) -> None:
    await programs.evalsha(sha(SAY), 0, "first")
    given_up = asyncio.ensure_future(programs.evalsha(sha(SAY), 0, "given up"))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await programs.evalsha(sha(SAY), 0, "mine") == b"mine"


async def test_a_line_that_was_cut_is_another_one_afterwards(programs: Redis) -> None:
    await programs.evalsha(sha(SAY), 0, "first")
    for each in await connections(programs):
        await programs.client_kill_filter(_id=each)
    for _ in range(3):
        assert await programs.evalsha(sha(SAY), 0, "again") == b"again"


async def test_an_unknown_program_is_told_as_redis_py_tells_it(programs: Redis) -> None:
    with pytest.raises(NoScriptError):
        await programs.evalsha(sha("return 7"), 0)


async def test_a_wrong_password_is_told_as_redis_py_tells_it(
    valkey: Workload, tmp_path: Path
) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("wrong")
    client = connect("127.0.0.1", valkey.port, password=SecretFile(wrong), tls=False)
    with pytest.raises(AuthenticationError):
        await client.evalsha(sha(SAY), 0, "a")
    await client.aclose()


async def test_a_store_that_stands_still_is_not_waited_for_without_end() -> None:
    asked: list[bytes] = []
    present: set[asyncio.StreamWriter] = set()
    alone = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        present.add(writer)
        alone.clear()
        asked.append(await reader.read(1000))
        await reader.read()
        writer.close()
        await writer.wait_closed()
        present.remove(writer)
        if not present:
            alone.set()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = connect("127.0.0.1", port, password=None, tls=False, answer_seconds=0.05)
        async with asyncio.timeout(20):
            with pytest.raises(RedisTimeoutError):
                await client.evalsha(sha(SAY), 0, "a")
            assert b"EVALSHA" in asked[0]
            await client.aclose()
            await alone.wait()
