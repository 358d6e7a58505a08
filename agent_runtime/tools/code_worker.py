"""The process of one piece of Python: gives its rights up, runs it, answers on stdout.

Runs alone (`python -I -S`), so it imports nothing but the standard library. What code may do is not
a matter of Python, which has a way around every check made in it: a seccomp filter lets only
computing, reading the order and writing the answer through. It opens nothing, starts nothing, talks
to nothing and maps no memory that can be executed. Numbers of system calls: Linux, x86-64
(arch/x86/entry/syscalls/syscall_64.tbl); other machines are refused.
"""

import ast
import contextlib
import ctypes
import io
import json
import os
import resource
import struct
import sys
import time
from typing import Any

PRELOADED = (
    *("base64", "bisect", "calendar", "cmath", "collections", "copy", "csv", "dataclasses"),
    *("datetime", "decimal", "enum", "fractions", "functools", "hashlib", "heapq", "itertools"),
    *("math", "operator", "random", "re", "statistics", "string", "textwrap", "time", "typing"),
    *("unicodedata", "uuid", "_strptime"),
)
"""Afterwards no module can be loaded any more."""
BASE_MIB = 128
"""Address space that the interpreter itself needs."""
MACHINE, AUDIT_ARCH = "x86_64", 0xC000003E
MAX_CHARACTERS = 16_000
_EXECUTABLE = (9, 10)  # mmap, mprotect: only without PROT_EXEC
_ALLOWED = (
    *(0, 1, 3, 8),  # read, write, close, lseek
    *(11, 12, 25, 28),  # munmap, brk, mremap, madvise
    *(13, 14, 15, 131),  # signals of this process: rt_sigaction, -procmask, -return, sigaltstack
    *(24, 35, 96, 98, 99, 201, 202, 219, 228, 230),  # time, waiting, own usage
    *(39, 60, 186, 231, 318),  # getpid, exit, gettid, exit_group, getrandom
)
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050001, 0x80000000  # refuse: EPERM
_NUMBER, _ARCH, _THIRD = 0, 4, 32  # places in struct seccomp_data


class NoSandboxError(Exception):
    """The kernel does not confine this process."""


def main() -> None:
    """Read the order from stdin; the answer is `{value, printed}`, `{error}` or `{refused}`."""
    order = json.load(sys.stdin)
    for name in PRELOADED:
        __import__(name)
    try:
        limit(order)
        confine()
    except (NoSandboxError, OSError, ValueError) as error:
        answer = {"refused": str(error)}
    else:
        answer = run(str(order["code"]))
    _write(json.dumps(answer).encode())
    os._exit(0)


def limit(order: dict[str, Any]) -> None:
    """Memory and processor time; no file may grow, no process begin."""
    seconds = int(time.process_time() + order["seconds"]) + 1
    space = (BASE_MIB + order["memory_mib"]) * 1024 * 1024
    for which, value in (
        (resource.RLIMIT_AS, space),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(which, (value, value))


def confine() -> None:
    """From here on the kernel refuses all else. Raises NoSandboxError."""
    if os.uname().machine != MACHINE:
        raise NoSandboxError(f"no sandbox of processes on {os.uname().machine}")
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(_program())
    program = struct.pack("HxxxxxxP", len(code.raw) // 8, ctypes.addressof(code))
    held = ctypes.create_string_buffer(program)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        _PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(held), 0, 0
    ):
        raise NoSandboxError(f"the kernel takes no filter: {os.strerror(ctypes.get_errno())}")
    with contextlib.suppress(PermissionError):
        os.close(os.open("/", os.O_RDONLY))
        raise NoSandboxError("the kernel took the filter and does not keep to it")


def _program() -> bytes:
    """The filter: struct sock_filter (u16 code, u8 if true, u8 if false, u32 k) after another."""
    steps = [
        *((_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, AUDIT_ARCH), (_RETURN, 0, 0, _KILL)),
        (_LOAD, 0, 0, _NUMBER),
    ]
    for number in _ALLOWED:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    for number in _EXECUTABLE:
        steps += [
            *((_EQUAL, 0, 4, number), (_LOAD, 0, 0, _THIRD), (_ANY_BIT, 0, 1, 4)),
            *((_RETURN, 0, 0, _REFUSE), (_RETURN, 0, 0, _ALLOW)),
        ]
    steps.append((_RETURN, 0, 0, _REFUSE))
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def run(code: str) -> dict[str, Any]:
    """The value of the last expression, and what was printed."""
    printed = io.StringIO()
    try:
        tree = ast.parse(code)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        scope: dict[str, Any] = {"__name__": "__main__"}
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            exec(compile(tree, "<code>", "exec"), scope)  # noqa: S102 # what this process is for
            value = (
                eval(compile(ast.Expression(last.value), "<code>", "eval"), scope)  # noqa: S307 # the same
                if isinstance(last, ast.Expr)
                else None
            )
        return {"value": _plain(value), "printed": _cut(printed.getvalue())}
    except MemoryError:
        return {"error": "MemoryError: the code needs more memory than it may use"}
    except BaseException as error:  # noqa: BLE001 # SystemExit too is only an answer
        return {"error": _cut(f"{type(error).__name__}: {error}")}


def _plain(value: object) -> object:
    """The value as JSON knows it, or its text; what is too long is cut."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return _cut(repr(value))
    return value if len(text) <= MAX_CHARACTERS else _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS] + " [cut]"


def _write(answer: bytes) -> None:
    while answer:
        answer = answer[os.write(1, answer) :]


if __name__ == "__main__":
    main()
