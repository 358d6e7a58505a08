"""Places where a test may have the process killed, to prove that nothing is lost there."""

import os
import signal

POINTS = (
    "submit.before",
    "submit.after",
    "queue.moved",
    "run.claimed",
    "model.answered",
    "model.recorded",
    "tool.marked",
    "tool.called",
    "tool.recorded",
    "wait.before",
    "wait.after",
    "end.before",
    "end.after",
)


def die(_point: str) -> None:
    """End this process without a word, as the kernel would."""
    os.kill(os.getpid(), signal.SIGKILL)


class Faults:
    """Does nothing without a point; `point:3` kills at the third time that it is reached."""

    def __init__(self, spec: str | None = None) -> None:
        point, _, count = (spec or "").partition(":")
        self._point = point
        self._left = int(count or 1)

    def reach(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                die(point)
