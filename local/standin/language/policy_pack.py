"""A policy pack as a process: how the engine has the language host run one.

As `RunPlugin` of the real host does: `python -u -m pulumi.policy <engine> <pack>` in the pack's own
environment and folder, with the stack's configuration in its environment.
"""

import json
import os
import queue
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pulumi.runtime.proto import language_pb2

from local.paths import Cache
from local.standin.language.analyzer_proxy import AnalyzerProxy
from local.toolchain.policy_pack import interpreter

STOP_SECONDS = 5.0
ANALYZER = "analyzer"


def run_pack(request: Any, context: Any) -> Iterator[Any]:
    """Answers of `RunPlugin`: the port, then what the pack prints, its exit code at last."""
    folder = Path(request.info.program_directory)
    python = interpreter(folder, Cache.default())
    if python is None:
        yield _stderr(
            f"{folder}: the policy pack's Python environment is not there: run "
            f"`make preview STACK=dev ARGS=--policy` once, or `uv sync --project {folder}`\n"
        )
        yield language_pb2.RunPluginResponse(exitcode=1)
        return
    pack = PolicyPack(python, folder, request)
    context.add_callback(pack.stop)
    yield language_pb2.RunPluginResponse(stdout=f"{pack.proxy.port}\n".encode())
    yield from pack.run()


def _stderr(text: str) -> Any:
    return language_pb2.RunPluginResponse(stderr=text.encode())


class PolicyPack:
    """One pack behind its proxy."""

    def __init__(self, python: Path, folder: Path, request: Any) -> None:
        self.proxy = AnalyzerProxy()
        words = [*request.args, str(folder)]
        self._argv = [str(python), "-u", "-m", "pulumi.policy", *words]
        self._folder = folder
        self._environment = dict(entry.partition("=")[::2] for entry in request.env)
        self._process: subprocess.Popen[bytes] | None = None
        self._output: queue.Queue[Any] = queue.Queue()
        self._stopped = False

    def run(self) -> Iterator[Any]:
        """Start it when the stack is known, and hand on its output until it ends."""
        stack = self.proxy.stack()
        if self._stopped:
            return
        process = self._start(stack)
        readers = [
            threading.Thread(target=self._read, args=(stream, kind), daemon=True)
            for stream, kind in ((process.stdout, "stdout"), (process.stderr, "stderr"))
        ]
        for reader in readers:
            reader.start()
        left = len(readers)
        while left:
            said = self._output.get()
            if said is None:
                left -= 1
            else:
                yield said
        code = process.wait()
        self.proxy.fail(f"the policy pack ended with exit code {code}")
        yield language_pb2.RunPluginResponse(exitcode=code)

    def stop(self) -> None:
        """End it, by force if it does not heed the request."""
        self._stopped = True
        self.proxy.stop()
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()

    def _start(self, stack: Any) -> "subprocess.Popen[bytes]":
        known = {
            "PULUMI_ORGANIZATION": stack.organization,
            "PULUMI_PROJECT": stack.project,
            "PULUMI_STACK": stack.stack,
            "PULUMI_DRY_RUN": "true" if stack.dry_run else "false",
            # argv would show it to everybody
            "PULUMI_CONFIG": json.dumps(dict(stack.config)),
        }
        self._process = subprocess.Popen(
            self._argv,
            cwd=self._folder,
            env=os.environ | self._environment | {k: v for k, v in known.items() if v},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return self._process

    def _read(self, stream: IO[bytes] | None, kind: str) -> None:
        """The first line on standard output is the pack's port; the rest is for people."""
        lines = iter(stream or ())
        if kind == "stdout":
            first = next(lines, b"").strip()
            if first.isdigit():
                self.proxy.attach(int(first))
            elif first:
                self._output.put(language_pb2.RunPluginResponse(stdout=first + b"\n"))
        answer = language_pb2.RunPluginResponse
        for line in lines:
            self._output.put(answer(stdout=line) if kind == "stdout" else answer(stderr=line))
        self._output.put(None)
