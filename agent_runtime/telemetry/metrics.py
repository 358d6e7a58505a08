"""The numbers an agent reports, under the names that the platform's alerts and dashboards use."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import disable_created_metrics

MAX_TENANTS = 200
"""Tenants told apart by one process; the rest share the label `other`, so series stay bounded."""

_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)
_WAIT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_LABELS = ("agent", "tenant", "model")


class Metrics:
    """One registry per process; `agent_active_sessions` counts this Pod only, KEDA sums it."""

    def __init__(self, agent: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # upstream leaves it untyped
        self.agent = agent
        self.registry = CollectorRegistry()
        self._tenants: set[str] = set()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=self.registry)

        self.duration = Histogram(
            "agent_request_duration_seconds",
            "Time from a request to the end of its answer",
            _LABELS,
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.requests = counter("agent_request_total", "Requests", *_LABELS)
        self.errors = counter("agent_request_errors_total", "Requests that failed", *_LABELS)
        self.active = Gauge(
            "agent_active_sessions",
            "Requests being worked on in this Pod",
            ("agent",),
            registry=self.registry,
        )
        self.active.labels(agent)
        self.tokens = counter("agent_llm_tokens_total", "Tokens", *_LABELS, "direction")
        self.cost = counter("agent_llm_cost_usd_total", "Price of the tokens", *_LABELS)
        self.model_retries = counter(
            "agent_retries_total", "Model calls repeated", "agent", "model"
        )
        self.wasted_tokens = counter(
            "agent_llm_wasted_tokens_total",
            "Completion tokens of answers that broke off; estimated where the model told no number",
            "agent",
            "model",
        )
        self.fallbacks = counter(
            "agent_fallback_total", "Calls moved to the next model", "agent", "model"
        )
        self.tool_duration = Histogram(
            "agent_tool_duration_seconds",
            "Time of a tool call",
            ("agent", "tool", "outcome"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.queue_wait = Histogram(
            "agent_queue_wait_seconds",
            "Time from a run's acceptance to its start",
            ("agent",),
            buckets=_WAIT_BUCKETS,
            registry=self.registry,
        )
        self.runs = Gauge(
            "agent_runs",
            "Runs that this Pod holds, by state",
            ("agent", "state"),
            registry=self.registry,
        )
        self.memory_writes = counter(
            "agent_memory_writes_total",
            "Facts given to long-term memory: stored, known, failed or refused by a full queue",
            "agent",
            "outcome",
        )
        self.spans_dropped = counter(
            "agent_spans_dropped_total", "Spans that were not delivered", "agent"
        )
        self.spans_dropped.labels(agent)

    def tenant(self, tenant: str) -> str:
        """The label value of a tenant."""
        if tenant in self._tenants or len(self._tenants) < MAX_TENANTS:
            self._tenants.add(tenant)
            return tenant
        return "other"
