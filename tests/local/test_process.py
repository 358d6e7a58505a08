import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.paths import CHECKOUT
from local.process import ProcessSpec, log_tail, run_to_end, spawn, stop
from local.report import UserError
from tests.harness.processes import await_ended, in_session, is_running, wait_until

pytestmark = pytest.mark.services

STARTER = """
import sys
from pathlib import Path
from local.process import ProcessSpec, spawn
argv = ["/bin/sh", "-c", "echo started; exec sleep 600"]
process = spawn(ProcessSpec("sleeper", argv, {"PATH": "/usr/bin:/bin"}, Path(sys.argv[1])))
print(process.pid, flush=True)
sys.stdin.read()
"""


def shell(script: str, log: Path) -> ProcessSpec:
    return ProcessSpec("shell", ["/bin/sh", "-c", script], {"PATH": "/usr/bin:/bin"}, log)


def test_what_it_prints_goes_to_its_log_and_nothing_is_inherited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_ONLY", "seen")
    with (tmp_path / "open").open("w") as handle:
        os.set_inheritable(handle.fileno(), True)  # noqa: FBT003 - positional only
        script = "echo out; echo err >&2; echo TEST_ONLY=$TEST_ONLY; ls /proc/self/fd | wc -l"
        process = spawn(shell(script, tmp_path / "log" / "shell.log"))
        assert process.wait(30) == 0
    lines = (tmp_path / "log" / "shell.log").read_text().split()
    # stdin, stdout, stderr and the folder that ls itself opened
    assert lines == ["out", "err", "TEST_ONLY=", "4"]
    assert log_tail(tmp_path / "log" / "shell.log", lines=2) == "TEST_ONLY= / 4"


def test_a_program_dies_with_a_starter_that_is_killed(tmp_path: Path) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path / "log")],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert starter.stdout
    pid = int(starter.stdout.readline())
    wait_until(lambda: bool((tmp_path / "log").read_text()), what="it started")
    assert is_running(pid)
    starter.kill()
    starter.communicate()
    await_ended([pid])


def test_stop_ends_a_program_that_ignores_sigterm_and_its_children(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = spawn(shell("trap '' TERM; sleep 600 & echo started; wait; sleep 600", log))
    wait_until(lambda: bool(log.read_text()), what="it started")
    assert len(in_session(process.pid)) == 2
    assert stop(process, seconds=0.2) == -signal.SIGKILL
    wait_until(lambda: not in_session(process.pid), what="its children ended")


def test_a_program_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing: /no/such/program can't be started"):
        spawn(ProcessSpec("missing", ["/no/such/program"], {}, tmp_path / "log"))


def test_an_exception_while_a_program_runs_ends_it(tmp_path: Path) -> None:
    heard: list[str] = []

    def interrupt(line: str) -> None:
        heard.append(line)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_to_end(["/bin/sh", "-c", "echo $$; sleep 600"], env={}, cwd=tmp_path, on_line=interrupt)
    wait_until(lambda: not in_session(int(heard[0])), what="nothing of it is left")


def test_a_finished_program_gives_its_code_and_its_last_lines(tmp_path: Path) -> None:
    done = run_to_end(
        ["/bin/sh", "-c", "echo 1; echo 2 >&2; echo 3; exit 7"], env={}, cwd=tmp_path, kept_lines=2
    )
    assert (done.code, done.output) == (7, "2\n3")
