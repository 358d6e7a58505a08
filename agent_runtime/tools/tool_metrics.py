"""What the registry reports about its Tools."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class ToolMetrics:
    """One set for a process, in the registry of its other numbers."""

    def __init__(self, registry: CollectorRegistry, agent: str) -> None:
        self._agent = agent
        self._accepted = Gauge(
            "agent_tool_accepted",
            "1: the newest version of the Tool is in use; 0: an earlier one stands in for it",
            ("agent", "tool"),
            registry=registry,
        )
        self._reloads = Counter(
            "agent_tool_reloads_total",
            "Changes of Tools that were seen",
            ("agent", "outcome"),
            registry=registry,
        )
        for outcome in ("taken", "refused"):
            self._reloads.labels(agent, outcome)

    def accepted(self, tool: str, *, yes: bool) -> None:
        self._accepted.labels(self._agent, tool).set(1 if yes else 0)

    def reloaded(self, outcome: str) -> None:
        self._reloads.labels(self._agent, outcome).inc()
