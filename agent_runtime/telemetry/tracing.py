"""Spans of a request, sent from a background thread that a request never waits for."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.propagators.textmap import Getter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue
from prometheus_client import Counter

from agent_runtime.secret_file import SecretFile
from agent_runtime.settings import Settings
from agent_runtime.telemetry import names
from agent_runtime.telemetry.redaction import redacted

QUEUE_SIZE = 2048
EXPORT_TIMEOUT_SECONDS = 5
_MAX_CONTENT = 8000

_shared: ContextVar[Mapping[str, AttributeValue]] = ContextVar(
    "shared_attributes",
    default={},  # noqa: B039 # it is only replaced, never changed
)
_propagator = TraceContextTextMapPropagator()


class _Delivery(SpanExporter):
    """Counts what the real exporter could not deliver."""

    def __init__(self, exporter: SpanExporter, dropped: Counter) -> None:
        self._exporter = exporter
        self._dropped = dropped
        self.taken = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.taken += len(spans)
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._dropped.inc(len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


class _CountingProcessor(BatchSpanProcessor):
    """Counts what a full queue pushed out: its length is what came in less what went on."""

    def __init__(self, delivery: _Delivery, dropped: Counter) -> None:
        super().__init__(
            delivery, max_queue_size=QUEUE_SIZE, export_timeout_millis=EXPORT_TIMEOUT_SECONDS * 1000
        )
        self._delivery = delivery
        self._lost = dropped
        self._ended = 0
        self._pushed_out = 0

    def on_end(self, span: ReadableSpan) -> None:
        if self._ended - self._pushed_out - self._delivery.taken >= QUEUE_SIZE:
            self._pushed_out += 1
            self._lost.inc()
        self._ended += 1
        super().on_end(span)


class Tracing:
    """Makes spans for one agent; without an endpoint they are made (for their ids) and dropped."""

    def __init__(self, settings: Settings, agent: str, namespace: str, dropped: Counter) -> None:
        resource = Resource.create(
            {
                "service.name": agent,
                "service.namespace": namespace,
                "service.instance.id": settings.bind_host,
            }
        )
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._tracer = self._provider.get_tracer("agent_runtime")
        self._keep_content = settings.trace_content == "redacted"
        if settings.otlp_endpoint:
            delivery = _Delivery(_exporter(settings), dropped)
            self._provider.add_span_processor(_CountingProcessor(delivery, dropped))

    @contextmanager
    def span(
        self,
        name: str,
        operation: str,
        attributes: Mapping[str, AttributeValue],
        *,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Iterator[Span]:
        """A child of the current span that also carries the request's shared attributes."""
        every = {names.OPERATION: operation, **_shared.get(), **attributes}
        with self._tracer.start_as_current_span(
            name, kind=kind, attributes=every, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR, redacted(str(error))[:500]))
                raise

    @contextmanager
    def request(
        self, headers: Mapping[str, str], shared: Mapping[str, AttributeValue]
    ) -> Iterator[None]:
        """Continue the caller's trace; `shared` is set on every span made inside."""
        token = otel_context.attach(_propagator.extract(headers, getter=_HEADERS))
        marker = _shared.set(dict(shared))
        try:
            yield
        finally:
            _shared.reset(marker)
            otel_context.detach(token)

    def content(self, span: Span, *, given: object = None, result: object = None) -> None:
        """Keep what went in and out, with credentials replaced, where content is traced at all."""
        if not self._keep_content:
            return
        for name, value in ((names.OBSERVATION_INPUT, given), (names.OBSERVATION_OUTPUT, result)):
            if value is not None:
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                span.set_attribute(name, redacted(text)[:_MAX_CONTENT])

    def shutdown(self) -> None:
        """Deliver what is queued, at most for the exporter's own timeout."""
        self._provider.shutdown()


class _LowerCaseHeaders(Getter[Mapping[str, str]]):
    def get(self, carrier: Mapping[str, str], key: str) -> list[str] | None:
        value = carrier.get(key)
        return None if value is None else [value]

    def keys(self, carrier: Mapping[str, str]) -> list[str]:
        return list(carrier)


_HEADERS = _LowerCaseHeaders()


def trace_headers() -> dict[str, str]:
    """The W3C headers that let the next service continue the current trace."""
    headers: dict[str, str] = {}
    _propagator.inject(headers)
    return headers


def trace_id() -> str:
    """The current trace's id as 32 hex digits; empty outside of a span."""
    context = trace.get_current_span().get_span_context()
    return format(context.trace_id, "032x") if context.is_valid else ""


def _exporter(settings: Settings) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(
        endpoint=settings.otlp_endpoint,
        headers=_headers(settings.otlp_headers_file),
        timeout=EXPORT_TIMEOUT_SECONDS,
        compression=Compression.Gzip,
    )


def _headers(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    pairs = (line.partition(":") for line in SecretFile(path).read().splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}
