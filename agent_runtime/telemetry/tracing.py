"""Spans of a request, sent from a background thread that a request never waits for."""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import Span, SpanKind, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue
from prometheus_client import Counter

from agent_runtime.settings import Settings
from agent_runtime.telemetry import names
from agent_runtime.telemetry.redaction import private, redacted

if TYPE_CHECKING:
    from agent_runtime.telemetry.recorder import Recorder

_MAX_CONTENT = 8000
_MAX_SHARED = 200
"""LangFuse drops what is longer, or not ASCII, where it spreads an attribute over a trace."""

_shared: ContextVar[Mapping[str, AttributeValue]] = ContextVar(
    "shared_attributes",
    default={},  # noqa: B039 # it is only replaced, never changed
)
_propagator = TraceContextTextMapPropagator()


class Tracing:
    """Makes spans for one agent; without an endpoint only their ids, for logs and other services.

    The SDK is loaded where there is an endpoint.
    """

    def __init__(self, settings: Settings, agent: str, namespace: str, dropped: Counter) -> None:
        self._content = settings.trace_content
        self._content_of = dict(settings.trace_content_tenants)
        self._recorder: Recorder | None = None
        if settings.otlp_endpoint:
            from agent_runtime.telemetry import recorder

            self._recorder = recorder.Recorder(settings, agent, namespace, dropped)

    def span(
        self,
        name: str,
        operation: str,
        attributes: Mapping[str, AttributeValue],
        *,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> AbstractContextManager[Span]:
        """A child of the current span that also carries the request's shared attributes."""
        if self._recorder is None:
            return _Unrecorded()
        every = {names.OPERATION: operation, **_shared.get(), **attributes}
        return self._recorder.span(name, every, kind)

    @contextmanager
    def request(
        self, headers: Mapping[str, str], shared: Mapping[str, AttributeValue]
    ) -> Iterator[None]:
        """Continue the caller's trace; `shared` is set on every span made inside."""
        token = otel_context.attach(_propagator.extract(headers, getter=_HEADERS))
        marker = _shared.set(_spread(shared) if self._recorder else {})
        try:
            yield
        finally:
            _shared.reset(marker)
            otel_context.detach(token)

    def content(self, span: Span, *, given: object = None, result: object = None) -> None:
        """Keep what went in and out as the tenant's setting says: off, redacted or full.

        Credentials are replaced in all of them.
        """
        if not span.is_recording():
            return
        tenant = str(_shared.get().get(names.TENANT, ""))
        mode = self._content_of.get(tenant, self._content)
        if mode == "off":
            return
        clean = private if mode == "redacted" else redacted
        for name, value in ((names.OBSERVATION_INPUT, given), (names.OBSERVATION_OUTPUT, result)):
            if value is not None:
                span.set_attribute(name, clean(_text(value))[:_MAX_CONTENT])

    def flush(self) -> None:
        """Wait until the spans that ended are delivered; for programs that are about to end."""
        if self._recorder:
            self._recorder.flush()

    def shutdown(self) -> None:
        """Deliver what is queued, for some seconds at most."""
        if self._recorder:
            self._recorder.shutdown()


class _Unrecorded:
    """A span of which there is nothing but its id."""

    __slots__ = ("_token",)

    def __enter__(self) -> Span:
        above = trace.get_current_span().get_span_context()
        known = above.is_valid
        span = trace.NonRecordingSpan(
            trace.SpanContext(
                above.trace_id if known else secrets.randbits(128),
                secrets.randbits(64),
                is_remote=False,
                trace_flags=above.trace_flags if known else TraceFlags(TraceFlags.SAMPLED),
                trace_state=above.trace_state,
            )
        )
        self._token = otel_context.attach(trace.set_span_in_context(span))
        return span

    def __exit__(self, *_: object) -> None:
        otel_context.detach(self._token)


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
