"""Pieces for a reader who is in no hurry, handed over together."""

import asyncio
from collections.abc import Callable

LONGEST_SECONDS = 0.2
LAGS = 4.0
"""A process that is late with its timers gathers for as many times that longer: fewer and larger
pieces are less work, and the time goes to those who wait for a first word."""


class Gathering:
    """Off until it begins. Then `holds` is true for a while after each piece that was taken."""

    def __init__(self, over: Callable[[], None]) -> None:
        """`over` is called when the time of a piece that was `held` is over."""
        self._over = over
        self._seconds = self._until = self._lag = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, seconds: float) -> None:
        self._seconds = seconds
        self.taken()

    @property
    def holds(self) -> bool:
        return self._until > 0 and asyncio.get_running_loop().time() < self._until

    def taken(self) -> None:
        """The reader has all that came so far."""
        if self._seconds:
            wait = min(LONGEST_SECONDS, self._seconds + LAGS * self._lag)
            self._until = asyncio.get_running_loop().time() + wait

    def held(self) -> None:
        """Something is there that waits until the time is over."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(self._until, self._ring, self._until)

    def end(self) -> None:
        self._seconds = self._until = self._lag = 0.0
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _ring(self, due: float) -> None:
        self._timer = None
        self._lag = max(0.0, asyncio.get_running_loop().time() - due)
        self._until = 0.0
        self._over()
