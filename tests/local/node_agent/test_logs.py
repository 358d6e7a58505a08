"""Container logs: rotation, following, and the part of them that is asked for."""

import asyncio
from pathlib import Path

import pytest

from local.node_agent.kubelet_api import BadRequest, LogQuery, tail_offset
from local.node_agent.log_file import LogFile

pytestmark = pytest.mark.unit


def test_a_log_is_private_and_bounded(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "x.log", rotate_bytes=10)
    log.open()
    for number in range(5):
        log.write(b"line%d\n" % number)
    log.close()
    assert log.path.stat().st_mode & 0o777 == 0o600
    assert log.path.read_bytes() == b"line4\n"
    assert (tmp_path / "x.log.1").read_bytes() == b"line3\n"


def test_the_log_of_the_previous_run_is_kept(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "x.log")
    for text in (b"first", b"second"):
        log.open()
        log.write(text)
        log.close()
    assert (log.previous.read_bytes(), log.path.read_bytes()) == (b"first", b"second")


async def test_followers_wake_on_output_and_at_the_end(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "x.log")
    log.open()
    waiting = asyncio.create_task(log.changed())
    await asyncio.sleep(0)
    log.write(b"x")
    await asyncio.wait_for(waiting, 5)
    waiting = asyncio.create_task(log.changed())
    await asyncio.sleep(0)
    log.close()
    await asyncio.wait_for(waiting, 5)
    await asyncio.wait_for(log.changed(), 5)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [(None, b"a\nb\nc"), (2, b"b\nc"), (3, b"a\nb\nc"), (9, b"a\nb\nc"), (0, b"")],
)
def test_the_last_lines_are_found(tmp_path: Path, lines: int | None, expected: bytes) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"a\nb\nc")
    assert path.read_bytes()[tail_offset(path, lines) :] == expected


def test_what_can_not_be_answered_truly_is_refused() -> None:
    assert LogQuery.parse("follow=true&tailLines=5&timestamps=false") == LogQuery(
        follow=True, tail_lines=5
    )
    for query in ("timestamps=true", "sinceSeconds=5", "tailLines=-1", "limitBytes=x"):
        with pytest.raises(BadRequest):
            LogQuery.parse(query)
