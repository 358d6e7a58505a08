"""Spans of a request, sent from a background thread that a request never waits for."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.propagators.textmap import Getter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue
from prometheus_client import Counter

from agent_runtime.secret_file import SecretFile
from agent_runtime.settings import Settings
from agent_runtime.telemetry import names
from agent_runtime.telemetry.redaction import private, redacted
from agent_runtime.telemetry.span_queue import SpanQueue

EXPORT_TIMEOUT_SECONDS = 5
_MAX_CONTENT = 8000
_MAX_SHARED = 200
"""LangFuse drops what is longer, or not ASCII, where it spreads an attribute over a trace."""
_LANGFUSE_PATH = "/api/public/otel"
_LANGFUSE_HEADERS = {"x-langfuse-ingestion-version": "4"}

_shared: ContextVar[Mapping[str, AttributeValue]] = ContextVar(
    "shared_attributes",
    default={},  # noqa: B039 # it is only replaced, never changed
)
_propagator = TraceContextTextMapPropagator()
_HEADER = re.compile(r"([A-Za-z0-9-]+)\s*[:=]\s*(.+)")


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
        self._content = settings.trace_content
        self._content_of = dict(settings.trace_content_tenants)
        self._queue: SpanQueue | None = None
        if settings.otlp_endpoint:
            self._queue = SpanQueue(_exporter(settings), dropped)
            self._provider.add_span_processor(self._queue)

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
        marker = _shared.set(_spread(shared))
        try:
            yield
        finally:
            _shared.reset(marker)
            otel_context.detach(token)

    def content(self, span: Span, *, given: object = None, result: object = None) -> None:
        """Keep what went in and out as the tenant's setting says: off, redacted or full.

        Credentials are replaced in all of them.
        """
        tenant = str(_shared.get().get(names.TENANT, ""))
        mode = self._content_of.get(tenant, self._content)
        if mode == "off" or not span.is_recording():
            return
        clean = private if mode == "redacted" else redacted
        for name, value in ((names.OBSERVATION_INPUT, given), (names.OBSERVATION_OUTPUT, result)):
            if value is not None:
                span.set_attribute(name, clean(_text(value))[:_MAX_CONTENT])

    def flush(self) -> None:
        """Wait until the spans that ended are delivered; for programs that are about to end."""
        if self._queue:
            self._queue.force_flush()

    def shutdown(self) -> None:
        """Deliver what is queued, for some seconds at most."""
        self._provider.shutdown()


def _spread(shared: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
    """The attributes of every span: kagent's names beside the others, in what LangFuse takes."""
    every = dict(shared)
    if names.AGENT_NAME in every:
        every.setdefault(names.AGENT_ID, every[names.AGENT_NAME])
    if names.USER in every:
        every.setdefault(names.KAGENT_USER, every[names.USER])
    return {
        name: value.encode("ascii", "replace").decode()[:_MAX_SHARED]
        if isinstance(value, str)
        else value
        for name, value in every.items()
    }


def _text(value: object) -> str:
    """`value` as text, not much longer than what is kept; of a list its end, which is newest."""
    if isinstance(value, str):
        return value[: 2 * _MAX_CONTENT]
    if not isinstance(value, list):
        return json.dumps(value, ensure_ascii=False, default=str)[: 2 * _MAX_CONTENT]
    parts: list[str] = []
    length = 0
    for each in reversed(value):
        parts.append(_text(each))
        length += len(parts[-1])
        if length > _MAX_CONTENT:
            break
    return "[" + ", ".join(reversed(parts)) + "]"


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
