"""What every model server here counts, as Prometheus reads it."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response

SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class ModelMetrics:
    """Counters of one server; the only label is its model's name."""

    def __init__(self, model: str) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "model_server_requests", "Answered", ["model", "outcome"], registry=self.registry
        )
        self._tokens = Counter(
            "model_server_tokens", "Tokens", ["model", "direction"], registry=self.registry
        )
        self._duration = Histogram(
            "model_server_request_duration_seconds",
            "From request to last byte",
            ["model"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._first = Histogram(
            "model_server_time_to_first_token_seconds",
            "From request to first token",
            ["model"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.model = model

    def answered(
        self, outcome: str, *, seconds: float, prompt: int = 0, completion: int = 0
    ) -> None:
        """Count one answer: `outcome` is a finish reason or `error`."""
        self._requests.labels(self.model, outcome).inc()
        self._tokens.labels(self.model, "prompt").inc(prompt)
        self._tokens.labels(self.model, "completion").inc(completion)
        self._duration.labels(self.model).observe(seconds)

    def first_token(self, seconds: float) -> None:
        """Note how long the first token took."""
        self._first.labels(self.model).observe(seconds)

    def page(self, _: Request) -> Response:
        """The endpoint `/metrics`."""
        return Response(generate_latest(self.registry), media_type=MEDIA_TYPE)
