"""The span and the numbers of every run."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agent_runtime.auth import Identity
from agent_runtime.errors import RequestError
from agent_runtime.runs.store import Claim
from agent_runtime.telemetry import names
from agent_runtime.telemetry.metrics import Metrics
from agent_runtime.telemetry.tracing import Tracing

_log = logging.getLogger(__name__)


class Accounts:
    """Opens the span of each piece of work on a run, and counts it."""

    def __init__(self, *, model: str, metrics: Metrics, tracing: Tracing) -> None:
        self._model = model
        self._metrics = metrics
        self._tracing = tracing

    @contextmanager
    def work(self, claim: Claim, identity: Identity) -> Iterator[None]:
        """Around one worker's work on a run; errors of the server's making are counted as such."""
        agent = self._metrics.agent
        labels = (agent, self._metrics.tenant(identity.tenant), self._model)
        shared: dict[str, Any] = {
            names.AGENT_NAME: agent,
            names.CONVERSATION: claim.session,
            names.SESSION: claim.session,
            names.TASK: claim.run_id,
            names.TENANT: identity.tenant,
            names.TAGS: [f"tenant:{identity.tenant}", f"agent:{agent}"],
            **({names.USER: identity.user} if identity.user else {}),
        }
        self._metrics.active.labels(agent).inc()
        if claim.fence == 1:
            self._metrics.requests.labels(*labels).inc()
        started = time.perf_counter()
        try:
            with (
                self._tracing.request(claim.request["headers"], shared),
                self._tracing.span(
                    f"invoke_agent {agent}", "invoke_agent", {names.OBSERVATION_TYPE: "agent"}
                ),
            ):
                try:
                    yield
                finally:
                    _log_request(claim, started)
        except Exception as error:
            if not isinstance(error, RequestError) or error.status >= 500:
                self._metrics.errors.labels(*labels).inc()
            raise
        finally:
            self._metrics.active.labels(agent).dec()
            self._metrics.duration.labels(*labels).observe(time.perf_counter() - started)


def _log_request(claim: Claim, started: float) -> None:
    """One line for each piece of work; the trace id comes from the span around it."""
    error = sys.exc_info()[1]
    outcome = getattr(error, "code", type(error).__name__) if error else "ok"
    fields = {
        "tenant": claim.tenant,
        "session": claim.session,
        "run": claim.run_id,
        "outcome": outcome,
        "duration_ms": round((time.perf_counter() - started) * 1000, 1),
    }
    _log.info("request", extra={"fields": fields})
