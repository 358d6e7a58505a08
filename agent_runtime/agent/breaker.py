"""A circuit breaker: a part that keeps failing is left alone for a while."""

import time
from collections.abc import Callable


class Breaker:
    """Open after `failures` in a row, for `pause_seconds`; then one trial decides."""

    def __init__(
        self,
        *,
        failures: int = 5,
        pause_seconds: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._pause = pause_seconds
        self._clock = clock
        self._failed = 0
        self._open_until = 0.0

    def admits(self) -> bool:
        """Whether a call may be tried; while half open only the first asker is told yes."""
        if self._failed < self._limit:
            return True
        if self._clock() < self._open_until:
            return False
        self._open_until = self._clock() + self._pause
        return True

    def succeeded(self) -> None:
        self._failed = 0

    def failed(self) -> None:
        self._failed += 1
        if self._failed >= self._limit:
            self._open_until = self._clock() + self._pause
