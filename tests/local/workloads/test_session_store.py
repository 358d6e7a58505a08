"""Valkey as the launcher configures it."""

from pathlib import Path

import pytest
import redis

from tests.harness.workload import Workload, workload

pytestmark = pytest.mark.services

PASSWORD = 'p"a\\ss word'


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    return file


def client(store: Workload, password: str | None = PASSWORD) -> "redis.Redis":
    return redis.Redis(host="127.0.0.1", port=store.port, password=password)


def test_it_wants_the_password_and_keeps_it_out_of_argv(password: Path, tmp_path: Path) -> None:
    with workload(
        "session_store", "--password-file", password, "--data", tmp_path / "data"
    ) as store:
        with client(store, None) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        with client(store) as known:
            assert known.ping()
            assert known.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        process = Path(f"/proc/{store.process.pid}")
        for place in ("cmdline", "environ"):
            assert PASSWORD.encode() not in (process / place).read_bytes()


@pytest.mark.parametrize("fsync", ["everysec", "always"])
def test_what_was_written_survives_a_kill(password: Path, tmp_path: Path, fsync: str) -> None:
    folder = ("--data", tmp_path / "data")
    arguments = ("session_store", "--password-file", password, *folder, "--append-fsync", fsync)
    with workload(*arguments) as store:
        with client(store) as known:
            known.rpush("agent-task-queue", "one")
            assert known.config_get("appendfsync") == {"appendfsync": fsync}
            known.execute_command("WAITAOF", 1, 0, 5000)
        store.kill()
    with workload(*arguments) as store, client(store) as known:
        assert known.lrange("agent-task-queue", 0, -1) == [b"one"]
