"""Spans with OpenTelemetry's SDK, for an agent that has somewhere to send them."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.util.types import AttributeValue
from prometheus_client import Counter

from agent_runtime.secret_file import SecretFile
from agent_runtime.settings import Settings
from agent_runtime.telemetry.redaction import redacted
from agent_runtime.telemetry.span_queue import SpanQueue

EXPORT_TIMEOUT_SECONDS = 5
_LANGFUSE_PATH = "/api/public/otel"
_LANGFUSE_HEADERS = {"x-langfuse-ingestion-version": "4"}
_HEADER = re.compile(r"([A-Za-z0-9-]+)\s*[:=]\s*(.+)")


class Recorder:
    """Makes spans and sends them from a thread of its own."""

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
        self._queue = SpanQueue(_exporter(settings), dropped)
        self._provider.add_span_processor(self._queue)

    @contextmanager
    def span(
        self, name: str, attributes: Mapping[str, AttributeValue], kind: SpanKind
    ) -> Iterator[Span]:
        """The current span inside; an error that leaves it is noted, without what it may reveal."""
        with self._tracer.start_as_current_span(
            name,
            kind=kind,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR, redacted(str(error))[:500]))
                raise

    def flush(self) -> None:
        self._queue.force_flush()

    def shutdown(self) -> None:
        self._provider.shutdown()


def _exporter(settings: Settings) -> SpanExporter:
    extra = _LANGFUSE_HEADERS if _LANGFUSE_PATH in (settings.otlp_endpoint or "") else {}
    return OTLPSpanExporter(
        endpoint=settings.otlp_endpoint,
        headers={**extra, **_headers(settings.otlp_headers_file)},
        timeout=EXPORT_TIMEOUT_SECONDS,
        compression=Compression.Gzip,
    )


def _headers(path: Path | None) -> dict[str, str]:
    """Lines `name: value`, or `name=value` as OpenTelemetry's own variable has them."""
    if path is None:
        return {}
    found = (_HEADER.fullmatch(line.strip()) for line in SecretFile(path).read().splitlines())
    return {each[1].lower(): each[2] for each in found if each}
