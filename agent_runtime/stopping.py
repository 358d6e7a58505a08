"""Ends tasks for certain.

Until Python 3.12 `asyncio.wait_for` returns what it waited for where a cancellation meets it in the
same turn of the loop, and the task goes on; redis-py calls it for every command that it sends. So a
task that waits for the store may outlive one cancellation, and is cancelled again.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

AGAIN_SECONDS = 0.05


async def stopped(*tasks: asyncio.Future[Any]) -> None:
    """Returns once none of the tasks runs; what they raised stays with them."""
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=AGAIN_SECONDS)


async def within(seconds: float, work: Awaitable[object]) -> bool:
    """Whether the work was done in time; what it raises is raised. Cut off where it was not."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        done = task.done()
        await stopped(task)
    if done:
        task.result()
    return done
