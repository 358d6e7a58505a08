"""How far a load has come, on standard error: a bar on a terminal, a few lines elsewhere."""

import sys
import time

_BAR = 30
_REDRAW_SECONDS = 0.1
_LINE_PERCENT = 20


class ProgressBar:
    """Redrawn in place on a terminal; elsewhere a line at every fifth of the way."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._drawn = 0.0
        self._told = 0
        self._open = False

    def __call__(self, done: int, total: int, passages: int) -> None:
        """Bytes read, bytes in all, passages so far."""
        if self._quiet:
            return
        percent = min(100, 100 * done // max(total, 1))
        if self._terminal:
            self._draw(percent, passages)
        elif percent >= self._told + _LINE_PERCENT:
            self._told = percent - percent % _LINE_PERCENT
            sys.stderr.write(f"{percent} %, {passages} passages\n")

    def close(self) -> None:
        """End the bar's line."""
        if self._open:
            sys.stderr.write("\n")
            self._open = False

    def _draw(self, percent: int, passages: int) -> None:
        now = time.monotonic()
        if percent < 100 and now - self._drawn < _REDRAW_SECONDS:
            return
        self._drawn = now
        self._open = True
        filled = _BAR * percent // 100
        bar = "█" * filled + "·" * (_BAR - filled)
        sys.stderr.write(f"\r[{bar}] {percent} % {passages:,} passages")
        sys.stderr.flush()
