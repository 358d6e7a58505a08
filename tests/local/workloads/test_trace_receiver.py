"""The trace receiver over HTTP, with the real OpenTelemetry exporter and with hostile input."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from local.workloads.otlp import Span
from local.workloads.trace_receiver import build_app
from local.workloads.trace_store import DEEPEST_TREE, TraceStore, tree
from tests.harness.http_server import serving
from tests.harness.workload import workload

pytestmark = pytest.mark.services

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def receiver() -> Iterator[str]:
    with serving(build_app(TraceStore(None, max_traces=10))) as url:
        yield url


def span(
    number: int, parent: int | None = None, *, trace: str = TRACE, **more: Any
) -> dict[str, Any]:
    body = {
        "traceId": trace,
        "spanId": f"{number:016x}",
        "name": f"span {number}",
        "startTimeUnixNano": str(1_700_000_000_000_000_000 + number * 1_000_000),
        "endTimeUnixNano": str(1_700_000_000_500_000_000),
    }
    if parent is not None:
        body["parentSpanId"] = f"{parent:016x}"
    return body | more


def export(*spans: dict[str, Any]) -> dict[str, Any]:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "tests"}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]}


def test_the_real_exporter_s_spans_come_back_as_a_tree(receiver: str) -> None:
    from opentelemetry.exporter.otlp.proto.http import Compression

    provider = TracerProvider(resource=Resource.create({"service.name": "agent"}))
    endpoint = f"{receiver}/api/public/otel/v1/traces"
    exporter = OTLPSpanExporter(endpoint=endpoint, compression=Compression.Gzip)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    with tracer.start_as_current_span("invoke_agent") as outer:
        trace_id = f"{outer.get_span_context().trace_id:032x}"
        with tracer.start_as_current_span("chat", attributes={"tokens": 7, "tags": ["a", "b"]}):
            pass
    provider.shutdown()
    found = httpx.get(f"{receiver}/traces/{trace_id}").json()
    assert (found["spans"], found["services"]) == (2, ["agent"])
    root = found["roots"][0]
    assert root["name"] == "invoke_agent"
    assert root["children"][0]["attributes"] == {"tokens": 7, "tags": ["a", "b"]}
    listed = httpx.get(f"{receiver}/traces", params={"limit": 1}).json()["traces"]
    assert [each["trace_id"] for each in listed] == [trace_id]


def test_a_chunked_gzip_json_export_is_read(receiver: str) -> None:
    packed = gzip.compress(json.dumps(export(span(1))).encode())
    answer = httpx.post(
        f"{receiver}/v1/traces",
        content=(packed[i : i + 7] for i in range(0, len(packed), 7)),
        headers={"content-type": "application/json", "content-encoding": "gzip"},
    )
    assert (answer.status_code, answer.json()) == (200, {})
    assert httpx.get(f"{receiver}/traces/{TRACE}").json()["spans"] == 1


def test_spans_with_bad_ids_are_counted_and_the_others_kept(receiver: str) -> None:
    bad = span(2, trace="xyz")
    answer = httpx.post(f"{receiver}/v1/traces", json=export(span(1), bad))
    assert answer.json()["partialSuccess"]["rejectedSpans"] == "1"
    assert "traceId" in answer.json()["partialSuccess"]["errorMessage"]
    assert httpx.get(f"{receiver}/traces/{TRACE}").json()["spans"] == 1


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content-type": "text/plain"}, b"x", 415),
        ({"content-type": "application/json"}, b"{", 400),
        ({"content-type": "application/json"}, b"[1]", 400),
        ({"content-type": "application/x-protobuf"}, b"\xff\xff\xff", 400),
        ({"content-type": "application/json", "content-encoding": "gzip"}, b"no gzip", 400),
        ({"content-type": "application/json", "content-encoding": "br"}, b"{}", 415),
    ],
)
def test_what_is_no_export_is_refused_with_a_reason(
    receiver: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    answer = httpx.post(f"{receiver}/v1/traces", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_a_gzip_bomb_stops_at_the_limit(receiver: str) -> None:
    bomb = gzip.compress(bytes(200 * 1024 * 1024))
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    answer = httpx.post(f"{receiver}/v1/traces", content=bomb, headers=headers)
    assert answer.status_code == 413


def test_an_unknown_trace_is_404_and_a_malformed_id_400(receiver: str) -> None:
    assert httpx.get(f"{receiver}/traces/{TRACE}").status_code == 404
    assert httpx.get(f"{receiver}/traces/..%2fetc").status_code in (400, 404)
    assert httpx.get(f"{receiver}/traces/{'g' * 32}").status_code == 400
    assert httpx.get(f"{receiver}/traces", params={"limit": "-1"}).status_code == 400


def test_hostile_names_are_shown_as_text(receiver: str) -> None:
    attack = "<script>alert(1)</script>"
    attribute = {"key": attack, "value": {"stringValue": "\ud800 \"'&<"}}
    body = export(span(1, name=attack, attributes=[attribute]))
    text = json.dumps(body)
    headers = {"content-type": "application/json"}
    assert httpx.post(f"{receiver}/v1/traces", content=text, headers=headers).json() == {}
    for path in ("/", f"/view/{TRACE}"):
        page = httpx.get(f"{receiver}{path}")
        assert "&lt;script&gt;" in page.text
        assert "<script" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]


def test_only_the_newest_traces_are_kept(receiver: str) -> None:
    ids = [f"{number:032x}" for number in range(1, 14)]
    for trace in ids:
        httpx.post(f"{receiver}/v1/traces", json=export(span(1, trace=trace)))
    listed = httpx.get(f"{receiver}/traces").json()["traces"]
    assert [each["trace_id"] for each in listed] == ids[:2:-1]
    assert httpx.get(f"{receiver}/traces/{ids[0]}").status_code == 404


def test_traces_outlive_the_process(tmp_path: Path) -> None:
    with workload("trace_receiver", "--data", tmp_path) as first:
        httpx.post(f"{first.url}/v1/traces", json=export(span(1)))
        first.kill()
    with workload("trace_receiver", "--data", tmp_path) as second:
        assert httpx.get(f"{second.url}/traces/{TRACE}").json()["spans"] == 1


def plain(number: int, parent: int) -> Span:
    parent_id = f"{parent:016x}" if parent else ""
    return Span(TRACE, f"{number:016x}", parent_id, "s", "t", "internal", number, 5_000, "ok", "")


def test_a_loop_of_parents_is_shown_once() -> None:
    shown = tree(TRACE, [plain(1, 2), plain(2, 1), plain(3, 3)])
    assert shown["spans"] == 3
    assert len(shown["roots"]) == 2


def test_a_very_deep_trace_stays_readable() -> None:
    shown = tree(TRACE, [plain(number, number - 1) for number in range(1, 1_500)])
    text = json.dumps(shown)
    assert text.count('"span_id"') == 1_499
    node, depth = shown["roots"][0], 0
    while node["children"]:
        node, depth = node["children"][0], depth + 1
    assert depth == DEEPEST_TREE
