"""OTLP trace exports, protobuf or JSON, as plain spans.

Shapes: opentelemetry-proto `trace/v1/trace.proto`; the JSON form writes ids in hexadecimal and
64-bit numbers as strings (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
"""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

TRACE_ID = re.compile(r"^(?!0{32})[0-9a-f]{32}$")
SPAN_ID = re.compile(r"^(?!0{16})[0-9a-f]{16}$")
KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES = ("unset", "ok", "error")
DEEPEST_VALUE = 8
LONGEST_TEXT = 16_384
MOST_ATTRIBUTES = 128


@dataclass(frozen=True)
class Span:
    """One finished span; times are Unix nanoseconds."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    service: str
    kind: str
    start_ns: int
    end_ns: int
    status: str
    message: str
    attributes: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Export:
    """What one request held: the spans that can be kept, and how many could not."""

    spans: list[Span]
    rejected: int
    reason: str = ""


class MalformedExportError(ValueError):
    """The body is no OTLP trace export."""


def from_protobuf(body: bytes) -> Export:
    """Decode an `ExportTraceServiceRequest`."""
    from google.protobuf.json_format import MessageToDict
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        message = ExportTraceServiceRequest.FromString(body)
        document = MessageToDict(message)
    except (DecodeError, RecursionError, ValueError) as error:
        raise MalformedExportError("the body is no OTLP trace export in protobuf") from error
    return _export(document, hexadecimal=False)


def from_json(body: bytes) -> Export:
    """Decode the JSON form of the same request."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedExportError("the body is not JSON") from error
    if not isinstance(document, dict):
        raise MalformedExportError("the body is not a JSON object with `resourceSpans`")
    return _export(document, hexadecimal=True)


def _export(document: Mapping[str, Any], *, hexadecimal: bool) -> Export:
    spans: list[Span] = []
    rejected, reason = 0, ""
    for resource in _objects(document.get("resourceSpans")):
        attributes = _attributes(_object(resource.get("resource")).get("attributes"))
        service = str(attributes.get("service.name") or "unknown")
        for scope in _objects(resource.get("scopeSpans")):
            for raw in _objects(scope.get("spans")):
                try:
                    spans.append(_span(raw, service, hexadecimal=hexadecimal))
                except (ValueError, TypeError) as error:
                    rejected, reason = rejected + 1, str(error)
    return Export(spans, rejected, reason)


def _span(raw: Mapping[str, Any], service: str, *, hexadecimal: bool) -> Span:
    trace_id = _identity(raw.get("traceId"), hexadecimal=hexadecimal)
    span_id = _identity(raw.get("spanId"), hexadecimal=hexadecimal)
    parent_id = _identity(raw.get("parentSpanId"), hexadecimal=hexadecimal)
    if not TRACE_ID.match(trace_id):
        raise ValueError("traceId is not 16 bytes, not all zero")
    if not SPAN_ID.match(span_id) or (parent_id and not SPAN_ID.match(parent_id)):
        raise ValueError("spanId or parentSpanId is not 8 bytes, not all zero")
    status = _object(raw.get("status"))
    start = _nanoseconds(raw.get("startTimeUnixNano"))
    return Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=parent_id,
        name=_text(raw.get("name")) or "unnamed",
        service=_text(service),
        kind=_named(raw.get("kind"), KINDS, "SPAN_KIND_"),
        start_ns=start,
        end_ns=max(start, _nanoseconds(raw.get("endTimeUnixNano"))),
        status=_named(status.get("code"), STATUSES, "STATUS_CODE_"),
        message=_text(status.get("message")),
        attributes=_attributes(raw.get("attributes")),
        events=[_event(event) for event in list(_objects(raw.get("events")))[:MOST_ATTRIBUTES]],
    )


def _event(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": _text(raw.get("name")),
        "time_ns": _nanoseconds(raw.get("timeUnixNano")),
        "attributes": _attributes(raw.get("attributes")),
    }


def _identity(value: Any, *, hexadecimal: bool) -> str:
    if not value:
        return ""
    if hexadecimal:
        return str(value).lower()
    return base64.b64decode(value, validate=True).hex()


def _nanoseconds(value: Any) -> int:
    number = int(value or 0)
    if not 0 <= number < 2**63:
        raise ValueError("a time is not between 0 and 2^63 nanoseconds")
    return number


def _named(value: Any, names: tuple[str, ...], prefix: str) -> str:
    if isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    name = str(value or "").removeprefix(prefix).lower()
    return name if name in names else names[0]


def _text(value: Any) -> str:
    # SQLite and JSON encoders refuse lone surrogates, which JSON escapes can smuggle in.
    return str(value or "")[:LONGEST_TEXT].encode("utf-8", "replace").decode()


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> Iterable[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def _attributes(pairs: Any) -> dict[str, Any]:
    found = list(_objects(pairs))[:MOST_ATTRIBUTES]
    return {_text(pair.get("key")): _value(pair.get("value"), DEEPEST_VALUE) for pair in found}


def _value(value: Any, depth: int) -> Any:
    wrapped = _object(value)
    for key, content in wrapped.items():
        if key == "intValue":
            return int(content)
        if key in ("boolValue", "doubleValue"):
            return content if isinstance(content, bool | int | float) else _text(content)
        if key == "arrayValue" and depth:
            items = list(_objects(_object(content).get("values")))[:MOST_ATTRIBUTES]
            return [_value(item, depth - 1) for item in items]
        if key == "kvlistValue" and depth:
            items = list(_objects(_object(content).get("values")))[:MOST_ATTRIBUTES]
            return {_text(item.get("key")): _value(item.get("value"), depth - 1) for item in items}
        return _text(content)
    return None
