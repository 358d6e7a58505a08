"""One program in a `bwrap` sandbox: start, output, signals and exit, on the event loop."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from local.node_agent.sandbox import Sandbox

CHUNK_BYTES = 64 * 1024


class SandboxProcess:
    """A started container. It must be made in the main thread: the kernel kills it with that one.

    `output` gets stdout and stderr as they come.
    """

    def __init__(
        self, sandbox: Sandbox, command: Sequence[str], output: Callable[[bytes], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._output = output
        self.exit_code: asyncio.Future[int] = self._loop.create_future()
        """128 + n after signal n."""
        self._info = b""
        settings = _memory_file("\0".join(sandbox.arguments()).encode())
        self._info_pipe, info_end = os.pipe()
        self._output_pipe, output_end = os.pipe()
        try:
            self._process = subprocess.Popen(
                [
                    *(str(sandbox.bwrap.program), "--args", str(settings)),
                    *("--info-fd", str(info_end), "--", *command),
                ],
                env={},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output_end,
                stderr=output_end,
                pass_fds=(settings, info_end),
                start_new_session=True,
            )
        except BaseException:
            os.close(self._info_pipe)
            os.close(self._output_pipe)
            raise
        finally:
            for descriptor in (settings, info_end, output_end):
                os.close(descriptor)
        self._pid_descriptor = os.pidfd_open(self._process.pid)
        for descriptor in (self._info_pipe, self._output_pipe):
            os.set_blocking(descriptor, False)
        self._loop.add_reader(self._info_pipe, self._read_info)
        self._loop.add_reader(self._output_pipe, self._read_output)
        self._loop.add_reader(self._pid_descriptor, self._ended)

    @property
    def pid(self) -> int:
        """The outer `bwrap`; all of the container's processes are its descendants."""
        return self._process.pid

    @property
    def running(self) -> bool:
        return not self.exit_code.done()

    def signal(self, number: signal.Signals) -> bool:
        """Signal the container's main program; False when it is not there (yet or any more)."""
        init = self._init_pid()
        main = next(iter(children(init)), None) if init else None
        if not self.running or main is None:
            return False
        try:
            os.kill(main, number)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL to all of the container: with `bwrap` dies its whole pid namespace."""
        if self.running:
            self._process.kill()

    async def stop(self, grace_seconds: float) -> int:
        """SIGTERM, SIGKILL when the grace is over; the exit code."""
        if not self.signal(signal.SIGTERM):
            self.kill()
        try:
            return await asyncio.wait_for(asyncio.shield(self.exit_code), max(grace_seconds, 0.01))
        except TimeoutError:
            self.kill()
            return await asyncio.shield(self.exit_code)

    def _init_pid(self) -> int | None:
        try:
            return int(json.loads(self._info)["child-pid"])
        except (ValueError, KeyError):
            return None

    def _read_info(self) -> None:
        data = _read(self._info_pipe)
        if data:
            self._info += data
        elif data == b"":
            self._close("_info_pipe")

    def _read_output(self) -> None:
        data = _read(self._output_pipe)
        if data:
            self._output(data)
        elif data == b"":
            self._close("_output_pipe")

    def _ended(self) -> None:
        code = self._process.wait()
        self._close("_pid_descriptor")
        self._close("_info_pipe")
        while self._output_pipe >= 0 and (data := _read(self._output_pipe)):
            self._output(data)
        self._close("_output_pipe")
        self.exit_code.set_result(code if code >= 0 else 128 - code)

    def _close(self, name: str) -> None:
        descriptor = getattr(self, name)
        if descriptor >= 0:
            self._loop.remove_reader(descriptor)
            os.close(descriptor)
            setattr(self, name, -1)


def children(pid: int) -> list[int]:
    """The direct children of a process, oldest first; none when it is gone."""
    with contextlib.suppress(OSError):
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def descendants(pid: int) -> list[int]:
    """`pid` and all that live below it."""
    found = [pid]
    for child in children(pid):
        found += descendants(child)
    return found


def _memory_file(content: bytes) -> int:
    descriptor = os.memfd_create("bwrap-arguments")
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _read(descriptor: int) -> bytes | None:
    """A chunk, b"" at the end, None when there is nothing yet."""
    try:
        return os.read(descriptor, CHUNK_BYTES)
    except BlockingIOError:
        return None
