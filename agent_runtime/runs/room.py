"""A number of places, taken at once or waited for."""

import asyncio


class Room:
    """Fair to nobody in particular; unlike a semaphore it can be asked without waiting."""

    def __init__(self, places: int) -> None:
        self._left = places
        self._freed = asyncio.Event()

    def try_take(self) -> bool:
        if self._left <= 0:
            return False
        self._left -= 1
        return True

    async def take(self) -> None:
        while not self.try_take():
            self._freed.clear()
            await self._freed.wait()

    def give(self) -> None:
        self._left += 1
        self._freed.set()
