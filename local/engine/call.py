"""Commands of the Pulumi CLI end: short ones by themselves, long ones when they are asked."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.report import UserError

CALL_SECONDS = 120.0
"""Many times what a busy machine needs: a command that takes longer waits for something that will
not come."""

ENDINGS = ((30.0, signal.SIGTERM), (10.0, signal.SIGKILL))
"""How long each signal is given, and the one that follows it."""


def let_end(process: "subprocess.Popen[str]") -> None:
    """Interrupt a running engine and wait until it has ended its steps; one that can't is killed.

    What it still says is read and dropped: an engine that nobody reads would wait for ever.
    """
    process.send_signal(signal.SIGINT)
    for seconds, harder in ENDINGS:
        try:
            process.communicate(timeout=seconds)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.send_signal(harder)
        else:
            return
    process.communicate()


def call(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], seconds: float = CALL_SECONDS
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end; its exit code is the caller's to judge.

    Raises UserError when it does not end in time; it is killed then.
    """
    try:
        return subprocess.run(
            list(argv),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        words = " ".join([Path(argv[0]).name, *argv[1:3]])
        raise UserError(
            f"`{words}` did not end in {seconds:g} s and was killed: run it again; when that does "
            "not help, begin anew with `make down ARGS=--delete-state`"
        ) from error
