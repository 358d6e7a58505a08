"""Starting and ending the programs of the local plane, so that none outlives its starter."""

import ctypes
import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.report import UserError

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def _ready_at_once() -> bool:
    return True


@dataclass(frozen=True)
class ProcessSpec:
    """One program to run: started by `spawn`, counted as up when `ready` says so."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    """The whole environment: nothing is inherited."""
    log: Path
    ready: Callable[[], bool] = field(default=_ready_at_once, compare=False)
    """Asked again and again after the start; never blocks for long, never raises."""
    cwd: Path | None = None
    stop_seconds: float = 10.0
    """How long it may take between SIGTERM and SIGKILL."""


def spawn(spec: ProcessSpec) -> subprocess.Popen[bytes]:
    """Start `spec` in a session of its own, its output appended to its log file.

    The kernel kills it when the calling *thread* ends, so call this from the main thread. It holds
    no file of its starter but the log. Raises UserError when the program can't be started.
    """
    spec.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    parent = os.getpid()
    with spec.log.open("ab") as log:
        try:
            return subprocess.Popen(
                list(spec.argv),
                env=dict(spec.env),
                cwd=spec.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                close_fds=True,
                preexec_fn=lambda: die_with(parent),
            )
        except OSError as error:
            raise UserError(f"{spec.name}: {spec.argv[0]} can't be started: {error}") from error


def die_with(parent: int) -> None:
    """In a child before exec: be killed when the thread that forked it ends."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The parent may have died before the call took effect.
    if os.getppid() != parent:
        os._exit(1)


def stop(process: "subprocess.Popen[Any]", *, seconds: float = 10.0) -> int:
    """SIGTERM, then SIGKILL after `seconds`, to the whole session; the exit code, reaped."""
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            _signal(process, signal.SIGKILL)
    # Children of the program share its session: none is left behind.
    _signal(process, signal.SIGKILL)
    return process.wait()


def _signal(process: "subprocess.Popen[Any]", number: signal.Signals) -> None:
    try:
        # The group is the process's own: `spawn` made it a session leader.
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return


@dataclass(frozen=True)
class Finished:
    """A program that ran to its end: exit code, and the end of what it printed on both streams."""

    code: int
    output: str


def run_to_end(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    on_line: Callable[[str], None] | None = None,
    kept_lines: int = 400,
) -> Finished:
    """Run a program in a session of its own; `on_line` hears each line as it comes.

    A terminal's Ctrl-C does not reach it: an exception here ends it and all that it started.
    Raises UserError when it can't be started.
    """
    parent = os.getpid()
    try:
        process = subprocess.Popen(
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=lambda: die_with(parent),
        )
    except OSError as error:
        raise UserError(f"{argv[0]} can't be started: {error}") from error
    kept: deque[str] = deque(maxlen=kept_lines)
    with process:
        try:
            for line in process.stdout or ():
                kept.append(line.rstrip())
                if on_line:
                    on_line(line.rstrip())
            code = process.wait()
        finally:
            stop(process, seconds=3.0)
    return Finished(code, "\n".join(kept))


def ended(name: str, code: int, log: Path) -> str:
    """One line on why a program ended that should run on, with the way out where it is known."""
    if "no space left on device" in log_tail(log, lines=100, limit=8192):
        return f"{name}: the disk of {log.parent} is full: make room and run `make up` again"
    return f"{name} ended with code {code}: {log_tail(log)} (whole log: {log})"


def log_tail(log: Path, *, lines: int = 3, limit: int = 400) -> str:
    """The end of a log as one line, for an error message; empty when there is none."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - 8192))
            text = stream.read().decode(errors="replace")
    except OSError:
        return ""
    kept = [line.strip() for line in text.splitlines() if line.strip()][-lines:]
    return " / ".join(kept)[-limit:]
