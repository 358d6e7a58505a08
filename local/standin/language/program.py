"""Runs a Pulumi program: connects the SDK to the engine, then executes the project's entry point.

Started as a script by the language host with its settings as one JSON argument. Exit codes: 0 done,
32 failed and the error was shown.
"""

import asyncio
import json
import logging
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pulumi
from pulumi import runtime

DEBUG = "AGENTIC_STANDIN_DEBUG"
ERROR_WAS_SHOWN = 32
USER_ERRORS = ("RunError", "UserError")
# The SDK asks for four threads for each operation that may be under way.
THREADS_PER_OPERATION = 4


def unsaid(*_: object, **__: object) -> None:
    """In the place of `pulumi.log.debug`."""


def configure(settings: dict[str, Any]) -> None:
    """Point the SDK at the engine and hand it the stack's configuration."""
    if os.environ.get(DEBUG) != "1":
        # The SDK waits for the engine to take each of thousands of lines that only --debug shows.
        pulumi.log.debug = unsaid
    runtime.set_all_config(runtime.get_config_env(), runtime.get_config_secret_keys_env())
    names = ("project", "stack", "organization", "monitor", "engine", "root_directory")
    runtime.configure(
        runtime.Settings(
            **{name: settings[name] for name in names},
            parallel=settings["parallel"],
            dry_run=settings["dry_run"],
        )
    )


def describe(error: BaseException, program: str) -> str:
    """What to tell the author: a user's mistake in its own words, else the program's trace."""
    if type(error).__name__ in USER_ERRORS:
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    inside = [n for n, frame in enumerate(frames) if frame.filename.startswith(program)]
    kept = frames[inside[0] :] if inside else frames
    lines = traceback.StackSummary.from_list(kept).format()
    lines += traceback.format_exception_only(error)
    return "The program failed:\n" + "".join(lines).rstrip()


def engine_has_gone(error: BaseException) -> bool:
    """Whether the engine ended the run itself: it has shown the reason already."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, grpc.RpcError) and seen.code() in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.CANCELLED,
        ):
            return True
        seen = seen.__cause__ or seen.__context__
    return "resource monitor shut down" in str(error)


def run(settings: dict[str, Any]) -> int:
    """Execute the entry point inside a stack resource; returns the exit code."""
    configure(settings)
    directory = settings["program_directory"]
    entry = os.path.normpath(os.path.join(directory, settings["entry_point"]))  # noqa: PTH118 - runpy wants a string
    os.chdir(directory)
    sys.argv = [entry]
    sys.path[0] = directory
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # unread futures of a failed program
    threads = ThreadPoolExecutor(max(settings["parallel"], 1) * THREADS_PER_OPERATION)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_default_executor(threads)

    async def program() -> None:
        runpy.run_path(entry, run_name="__main__")
        # Without this moment the SDK finds no registration under way, waits for all outputs at
        # once instead, and begins anew with each one that is done: quadratic in the resources.
        await asyncio.sleep(0)

    try:
        loop.run_until_complete(runtime.run_in_stack(program))
    except Exception as error:  # noqa: BLE001 - a program may fail in any way; the author must see it
        if not engine_has_gone(error):
            pulumi.log.error(describe(error, directory))
        return ERROR_WAS_SHOWN
    finally:
        threads.shutdown(wait=True)
        loop.close()
    return 0


if __name__ == "__main__":
    exit_code = run(json.loads(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(exit_code)
