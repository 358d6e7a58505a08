"""The span and the numbers of every request."""

import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from agent_runtime.auth import Identity
from agent_runtime.errors import RequestError, unavailable
from agent_runtime.telemetry import names
from agent_runtime.telemetry.metrics import Metrics
from agent_runtime.telemetry.tracing import Tracing

_log = logging.getLogger(__name__)


def _log_request(identity: Identity, session: str, started: float) -> None:
    """One line for each request; the trace id comes from the span around it."""
    error = sys.exc_info()[1]
    outcome = getattr(error, "code", type(error).__name__) if error else "ok"
    fields = {
        "tenant": identity.tenant,
        "session": session,
        "outcome": outcome,
        "duration_ms": round((time.perf_counter() - started) * 1000, 1),
    }
    _log.info("request", extra={"fields": fields})


class Accounts:
    """Opens each request's span, counts it, and sends away what is too much at once."""

    def __init__(self, *, model: str, metrics: Metrics, tracing: Tracing, max_running: int) -> None:
        self._model = model
        self._metrics = metrics
        self._tracing = tracing
        self._max = max_running
        self._running = 0

    @contextmanager
    def request(
        self, identity: Identity, session: str, headers: Mapping[str, str]
    ) -> Iterator[None]:
        """Around one request; its errors of the server's making are counted as such."""
        if self._running >= self._max:
            raise unavailable(f"{self._running} requests are being served", code="busy")
        agent = self._metrics.agent
        labels = (agent, self._metrics.tenant(identity.tenant), self._model)
        shared = {
            names.AGENT_NAME: agent,
            names.CONVERSATION: session,
            names.SESSION: session,
            names.TENANT: identity.tenant,
            names.TAGS: [f"tenant:{identity.tenant}", f"agent:{agent}"],
            **({names.USER: identity.user} if identity.user else {}),
        }
        self._running += 1
        self._metrics.active.labels(agent).inc()
        self._metrics.requests.labels(*labels).inc()
        started = time.perf_counter()
        try:
            with (
                self._tracing.request(headers, shared),
                self._tracing.span(
                    f"invoke_agent {agent}", "invoke_agent", {names.OBSERVATION_TYPE: "agent"}
                ),
            ):
                try:
                    yield
                finally:
                    _log_request(identity, session, started)
        except Exception as error:
            if not isinstance(error, RequestError) or error.status >= 500:
                self._metrics.errors.labels(*labels).inc()
            raise
        finally:
            self._running -= 1
            self._metrics.active.labels(agent).dec()
            self._metrics.duration.labels(*labels).observe(time.perf_counter() - started)
