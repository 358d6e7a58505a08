import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.engine.call import call, let_end
from local.report import UserError

pytestmark = pytest.mark.unit


def test_a_command_that_does_not_end_is_killed_and_said_in_one_line(tmp_path: Path) -> None:
    program = tmp_path / "pulumi"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    with pytest.raises(UserError) as problem:
        call([str(program), "stack", "init"], cwd=tmp_path, env=os.environ, seconds=0.2)
    (line,) = problem.value.lines
    assert "`pulumi stack init`" in line
    assert "--delete-state" in line


TALKATIVE = """
import signal, sys
def say(*_):
    sys.stdout.write("x" * 500_000)
    sys.stdout.flush()
    sys.exit(7)
signal.signal(signal.SIGINT, say)
print("ready", flush=True)
signal.pause()
"""


def test_an_interrupted_engine_may_say_more_than_a_pipe_holds() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", TALKATIVE], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        let_end(process)
    assert process.returncode == 7, "it ended by itself and was not killed"
