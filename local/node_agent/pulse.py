"""A signal without memory: everyone who waits at that moment goes on."""

import asyncio


class Pulse:
    """`beat` wakes all who wait; those who come later wait for the next one."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def beat(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, timeout_seconds: float | None = None) -> bool:
        """Whether a beat came in time."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait_for(waiter, timeout_seconds)
        except TimeoutError:
            return False
        else:
            return True
        finally:
            self._waiters.discard(waiter)
