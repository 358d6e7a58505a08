"""Python in a process that the kernel confines: what it computes, and what it never gets."""

from pathlib import Path
from typing import Any

import pytest

from agent_runtime.tools import process_sandbox
from agent_runtime.tools.port import CallContext, ToolResult
from agent_runtime.tools.process_sandbox import ProcessSandbox
from agents.tool import CodeTool

pytestmark = pytest.mark.services

WORKER = Path(process_sandbox.__file__).with_name("code_worker.py")
PATCHED = """
import os, runpy, sys
worker = runpy.run_path({worker!r})
{change}
worker['main'].__globals__.update(changed)
worker['main']()
"""
UNCONFINED = "changed = {'confine': lambda: None}"
OTHER_MACHINE = "changed = {'MACHINE': 'another'}"


def worker_with(change: str) -> tuple[str, ...]:
    return ("-c", PATCHED.format(worker=str(WORKER), change=change))


async def ran(code: str, *, worker: tuple[str, ...] = (str(WORKER),), **config: Any) -> ToolResult:
    data = {"name": "compute", "type": "code", "config": {"sandbox": "process", **config}}
    tool = ProcessSandbox(CodeTool.model_validate(data), worker=worker)
    return await tool.call({"code": code}, CallContext("acme", "kim", "r", "c"))


async def test_it_computes_with_the_standard_library_and_prints() -> None:
    found = await ran(
        "import statistics, datetime\n"
        "print(datetime.datetime.strptime('2024-02-29', '%Y-%m-%d').date())\n"
        "statistics.mean([1, 2, 6])"
    )
    assert found == ToolResult({"value": 3, "printed": "2024-02-29\n"})


async def test_mistakes_are_told_and_values_are_json_or_text() -> None:
    assert (await ran("1 / 0")).value == "ZeroDivisionError: division by zero"
    assert (await ran("{1, 2}")).value["value"] == "{1, 2}"
    assert (await ran("float('nan')")).value["value"] == "nan"


ATTACKS = {
    "reads a file": "open(FILE).read()",
    "writes a file": "os.close(os.open(FILE + '2', os.O_CREAT))",
    "reads the environment of its parent": "open(f'/proc/{os.getppid()}/environ')",
    "starts a process": "os.fork() or os._exit(0)",
    "runs a program": "assert os.system('true') == 0",
    "opens a socket": "assert libc.socket(2, 1, 0) >= 0",
    "maps memory that can be executed": "assert libc.mmap(None, 4096, 7, 34, -1, 0) != -1",
    "signals its parent": "os.kill(os.getppid(), 0)",
}
ALL = """
import ctypes, os
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_ssize_t
FILE, won = {file!r}, []
for attack, code in {attacks!r}.items():
    try:
        exec(code)
        won.append(attack)
    except (OSError, AssertionError):
        pass
won
"""


@pytest.mark.parametrize("guard", ["kept", "removed"])
async def test_nothing_outside_is_within_reach(guard: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("a secret")
    worker = (str(WORKER),) if guard == "kept" else worker_with(UNCONFINED)
    found = await ran(ALL.format(file=str(file), attacks=ATTACKS), worker=worker)
    assert found.value["value"] == ([] if guard == "kept" else list(ATTACKS))
    assert (tmp_path / "file2").exists() is (guard == "removed")


async def test_what_the_agent_knows_is_not_in_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_SECRET", "a secret")
    found = await ran("import os\nsorted(os.environ)")
    assert found.value["value"] == ["LC_CTYPE"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("'a' * 10**9", "more memory"),
        ("import os\nwhile True: os.write(1, b'x' * 65536)", "wrote too much"),
        ("import time\ntime.sleep(60)", "did not end in time"),
        ("while True: pass", "more memory or time"),
    ],
)
async def test_it_ends_at_its_limits(
    code: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "sleep" in code:
        monkeypatch.setattr(process_sandbox, "START_SECONDS", 0.5)
    elif "pass" in code:
        monkeypatch.setattr(process_sandbox, "START_SECONDS", 60.0)
    found = await ran(code, timeout="100ms")
    assert found.error
    assert words in found.value


async def test_where_the_kernel_does_not_confine_it_nothing_is_run() -> None:
    found = await ran("1 + 1", worker=worker_with(OTHER_MACHINE))
    assert found.error
    assert "the sandbox is not available here: no sandbox of processes on" in found.value
