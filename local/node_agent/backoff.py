"""How long a crashed container waits before it is started again."""

from dataclasses import dataclass


@dataclass
class Backoff:
    """The kubelet's rule: at once, then `base_seconds` doubling to `limit_seconds`; forgotten
    after `reset_seconds` of running.
    """

    base_seconds: float = 10.0
    limit_seconds: float = 300.0
    reset_seconds: float = 600.0
    _next: float = 0.0

    def after(self, ran_seconds: float) -> float:
        """Seconds to wait after a run of `ran_seconds`."""
        if ran_seconds >= self.reset_seconds:
            self._next = 0.0
        delay = self._next
        self._next = min(max(delay * 2, self.base_seconds), self.limit_seconds)
        return delay


def restarts(policy: str, exit_code: int) -> bool:
    """Whether a container that ended is started again under its Pod's `restartPolicy`."""
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)
