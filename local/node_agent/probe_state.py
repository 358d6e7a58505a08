"""When a probe runs and what its results mean, without running it."""

from dataclasses import dataclass
from typing import Literal

from local.node_agent.objects import Manifest

ProbeKind = Literal["startup", "readiness", "liveness"]
FIRST_RETRY_SECONDS = 0.1
HANDLERS = ("httpGet", "tcpSocket", "exec", "grpc")


@dataclass(frozen=True)
class ProbeSpec:
    """A probe with Kubernetes' defaults filled in."""

    kind: ProbeKind
    action: Manifest
    initial_delay_seconds: float = 0.0
    period_seconds: float = 10.0
    timeout_seconds: float = 1.0
    success_threshold: int = 1
    failure_threshold: int = 3
    grace_seconds: float | None = None
    """Overrides the Pod's own grace period when this probe kills the container."""

    @classmethod
    def of(cls, container: Manifest, kind: ProbeKind) -> "ProbeSpec | None":
        found = container.get(f"{kind}Probe")
        if not found:
            return None
        grace = found.get("terminationGracePeriodSeconds")
        return cls(
            kind=kind,
            action={key: found[key] for key in HANDLERS if key in found},
            initial_delay_seconds=float(found.get("initialDelaySeconds") or 0),
            period_seconds=float(found.get("periodSeconds") or 10),
            timeout_seconds=float(found.get("timeoutSeconds") or 1),
            success_threshold=int(found.get("successThreshold") or 1),
            failure_threshold=int(found.get("failureThreshold") or 3),
            grace_seconds=None if grace is None else float(grace),
        )


class ProbeState:
    """Counts results against the thresholds.

    Until the first success the probe is asked more often than its period, so that what is up is
    seen at once; of such early failures one per period counts.
    """

    def __init__(self, spec: ProbeSpec) -> None:
        self.spec = spec
        self.passing: bool | None = None
        """None until a threshold was reached for the first time."""
        self._successes = 0
        self._failures = 0
        self._early_delay = FIRST_RETRY_SECONDS
        self._since_counted = 0.0
        self._succeeded_once = False
        self.counted = False
        """Whether the last result was one that counts."""

    def delay(self) -> float:
        """Seconds until the next attempt."""
        if self._succeeded_once or self.spec.kind == "liveness":
            return self.spec.period_seconds
        return min(self._early_delay, self.spec.period_seconds)

    def observe(self, *, success: bool) -> bool:
        """Take one result; whether `passing` is decided anew by it."""
        self.counted = success or self._counts()
        if success:
            self._succeeded_once = True
            self._failures = 0
            self._successes += 1
            return self._decide(passing=True) if self._enough_successes() else False
        self._successes = 0
        self._failures += int(self.counted)
        if self._failures < self.spec.failure_threshold:
            return False
        return self._decide(passing=False)

    def _enough_successes(self) -> bool:
        return self._successes >= self.spec.success_threshold

    def _counts(self) -> bool:
        if self._succeeded_once or self.spec.kind == "liveness":
            return True
        counts = self._since_counted >= self.spec.period_seconds
        waited = min(self._early_delay, self.spec.period_seconds)
        self._since_counted = waited if counts else self._since_counted + waited
        self._early_delay = min(self._early_delay * 2, max(FIRST_RETRY_SECONDS, 1.0))
        return counts

    def _decide(self, *, passing: bool) -> bool:
        changed = self.passing != passing
        self.passing = passing
        return changed
